from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from connector.errors import ProfileError
from connector.mapping.messages.changes import Rule, rules
from connector.profile import load, parse
from connector.profile.model import Profile
from connector.profile.reading import known_keys
from tests.profile.planted import DEMO

SMALL = 'name = "small"\n'
TO_FHIR = '[v2.from]\nsubjects = ["CN=his"]\n[fhir]\nbase = "https://fhir.example/r4"\n'
TO_V2 = (
    '[v2.to]\nhost = "his"\nport = 2575\nreceiving_application = "HIS"\nreceiving_facility = "H"\n'
    '[fhir.from]\nissuer = "i"\njwks = "j"\naudience = "a"\nclients.app = ["system/Patient.cu"]\n'
)


def _values(node: Any) -> list[Any]:
    if isinstance(node, BaseModel):
        return [node, *(one for name in type(node).model_fields for one in _values(getattr(node, name)))]
    if isinstance(node, Mapping):
        return [node, *(one for value in node.values() for one in _values(value))]
    return [node, *(one for value in node for one in _values(value))] if isinstance(node, tuple) else [node]


def test_the_demo_profile_says_what_the_demo_needs() -> None:
    profile = load(DEMO)
    assert profile.name == profile.namespace == "demo"
    assert profile.zone == ZoneInfo("Europe/Vienna")
    assert profile.directions == ("to_fhir", "to_v2")
    assert profile.mapping.drop == ("PID-19",)
    assert profile.mapping.codes == {"HL70001": {"9": "unknown"}}
    assert [(one.source, one.resource) for one in profile.mapping.extension] == [("ZPI-2", "Patient")]
    assert [(one.source, one.system) for one in profile.mapping.identifier] == [
        ("ZPI-5", "urn:oid:2.999.1.3")
    ]


def test_nothing_in_a_profile_can_be_changed() -> None:
    profile = load(DEMO)
    kinds = {type(one).__name__ for one in _values(profile) if not isinstance(one, BaseModel)}
    assert not kinds & {"dict", "list", "set"}
    with pytest.raises(ValidationError, match="frozen"):
        profile.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        profile.mapping.authorities["X"] = "urn:x"  # type: ignore[index]


def test_a_profile_dumps_and_reads_back() -> None:
    profile = load(DEMO)
    assert Profile.model_validate(profile.model_dump(by_alias=True)).mapping == profile.mapping


def test_a_name_is_enough_for_a_profile_that_only_translates() -> None:
    profile = parse(SMALL)
    assert profile.directions == ()
    assert (profile.zone, profile.v2.sender, profile.fhir.caller) == (None, None, None)


def test_a_link_may_carry_one_direction_only() -> None:
    assert parse(SMALL + TO_FHIR).directions == ("to_fhir",)
    assert parse(SMALL + TO_V2).directions == ("to_v2",)


def test_what_comes_in_has_somewhere_to_go() -> None:
    with pytest.raises(ProfileError, match="nowhere to deliver") as raised:
        parse(SMALL + TO_FHIR.partition("[fhir]")[0], "p.toml")
    assert raised.value.location == "p.toml:2"
    with pytest.raises(ProfileError, match="nowhere to deliver") as raised:
        parse(SMALL + "[fhir.from]" + TO_V2.partition("[fhir.from]")[2], "p.toml")
    assert raised.value.location == "p.toml:2"


def test_by_default_only_production_messages_are_taken() -> None:
    assert parse(SMALL).v2.processing_ids == ("P",)


def test_a_profile_has_the_default_events() -> None:
    assert parse(SMALL).rules == rules()


def test_a_profile_changes_the_default_events_one_by_one() -> None:
    events = '[events]\n"Patient.update" = "ADT^A08"\n"Observation.update" = ""\n'
    events += '"Encounter.cancelled" = "ADT^A11"\n"Encounter.create.emergency" = "ADT^A01"\n'
    found = parse(SMALL + events).rules
    assert Rule("Patient", "ADT^A08", on="update") in found
    assert Rule("Patient", "ADT^A28", on="create") in found
    assert Rule("Observation", "", on="update") in found
    assert Rule("Encounter", "ADT^A11", status="cancelled") in found
    assert Rule("Encounter", "ADT^A01", on="create", kind="emergency") in found
    assert Rule("Patient", "ADT^A31", on="update") not in found
    assert len(found) == len(rules())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("Encounter.moved", "there is no such change"),
        ("Encounter.planned>gone", "there is no such change"),
        ("Encounter.create.elephant", "there is no such kind of it"),
        ("Patient.create.emergency", "there is no such kind of it"),
        ("Visit.create", "FHIR R4 has no such resource type"),
        ("Encounter", "a change in quotes"),
    ],
)
def test_a_change_that_cannot_happen_is_refused_with_its_line(change: str, fault: str) -> None:
    with pytest.raises(ProfileError, match=fault) as raised:
        parse(f'{SMALL}[events]\n"Patient.update" = "ADT^A08"\n"{change}" = "ADT^A08"\n', "p.toml")
    line = SMALL.count("\n") + 3
    assert raised.value.location == f"p.toml:{line}"


def test_the_demo_profile_changes_none_of_the_default_events() -> None:
    assert load(DEMO).rules == rules()


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"])
def test_http_is_spoken_with_this_machine_when_that_is_allowed(host: str) -> None:
    text = f'{SMALL}[fhir]\ninsecure_loopback = true\nbase = "http://{host}/fhir"\n'
    assert parse(text).fhir.base == f"http://{host}/fhir"
    with pytest.raises(ProfileError, match="only https"):
        parse(text.replace("= true", "= false"))


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "localhost.example.org", "0.0.0.0"])  # noqa: S104
def test_http_is_never_spoken_with_another_machine(host: str) -> None:
    with pytest.raises(ProfileError, match="only https"):
        parse(f'{SMALL}[fhir]\ninsecure_loopback = true\nbase = "http://{host}/fhir"\n')


@pytest.mark.parametrize(
    "url", ["https://", "https:///fhir", "https://h:99999/", "https://h/ x", "https://h/?a=b", "https://h/#a"]
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ProfileError):
        parse(f'{SMALL}[fhir]\nbase = "{url}"\n')


@pytest.mark.parametrize("name", ["UNICODE UTF-8", "UTF-8", "utf8"])
def test_a_character_set_is_held_by_its_name_in_table_0211(name: str) -> None:
    assert parse(f'{SMALL}[v2]\ncharset = "{name}"\n').v2.charset == "UNICODE UTF-8"


def test_the_namespace_may_differ_from_the_name() -> None:
    assert parse(SMALL + '[identity]\nnamespace = "old-name"\n').namespace == "old-name"


def test_the_keys_of_every_table_can_be_asked_for() -> None:
    keys = ["certificates", "subjects", "names", "issued_by", "applications", "facilities", "answers"]
    assert known_keys(Profile, ("v2", "from")) == keys
    assert "url" in known_keys(Profile, ("mapping", "extension", 3))
    assert known_keys(Profile, ("mapping", "codes", "HL70001")) == []


@pytest.mark.parametrize(
    "answers",
    [
        'via = "separate"',
        'via = "separate"\nport = 1',
        'host = "his"\nport = 1',
        'via = "same"\nhost = "his"',
    ],
)
def test_answers_of_their_own_need_a_host_and_a_port_and_others_have_none(answers: str) -> None:
    with pytest.raises(ProfileError, match="answers go over the same connection"):
        parse(f"{SMALL}{TO_FHIR}[v2.from.answers]\n{answers}\n")
