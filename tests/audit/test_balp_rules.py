"""The constraints of BALP: all events keep them, and each of them refuses something."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from audit import balp, balp_rules
from audit.balp import Json
from audit.entry import Tag
from audit.events import BALP, Pattern
from tests.audit.bare import SOURCE, bare, full, hostile, refused, several

TAGS: Final = sorted(map(str, Tag))
ADDED: Final[dict[str, Any]] = {  # what an agent or an entity may be forbidden to have
    "media": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110037"},
    "network": {"address": "10.0.0.1", "type": "2"},
    "role": [{"text": "nurse"}],
    "altId": "x",
    "name": "x",
    "location": {"display": "x"},
    "policy": ["urn:x"],
    "purposeOfUse": [{"text": "x"}],
    "what": {"display": "x"},
    "lifecycle": {"code": "1"},
    "query": "eA==",
    "detail": [{"type": "x", "valueString": "x"}],
    "securityLabel": [{"code": "R"}],
}
SNOMED: Final = "http://snomed.info/sct"


def _about(pattern: Pattern) -> Json:
    """An event that claims the profile."""
    basic = pattern.removeprefix("Patient")
    tag, interaction = {
        "Create": ("message:fhir:received", "create"),
        "Update": ("message:fhir:received", "update"),
        "Read": ("operator:content:viewed", ""),
        "Delete": ("store:erased", ""),
        "Query": ("operator:content:searched", ""),
        "PrivacyDisclosure.Source": ("delivery:fhir:acknowledged", ""),
        "PrivacyDisclosure.Recipient": ("message:v2:received", ""),
    }[basic]
    entry = full(tag)
    entry["object"]["interaction"] = interaction
    if pattern in ("Create", "Read", "Update", "Delete", "Query"):
        del entry["object"]["patient"]
    event = copy.deepcopy(balp.event(entry, SOURCE))
    assert event["meta"]["profile"] == [f"{BALP}{pattern}"]
    _and_the_optional(event, pattern)
    return event


def _and_the_optional(event: Json, pattern: Pattern) -> None:
    """Slices that may be there, so that their constraints are asked as well."""
    somebody = {"who": {"display": "x"}, "requestor": False}
    if pattern in (Pattern.DISCLOSED, Pattern.RECEIVED):
        for code in ("429577009", "159541003"):
            kind = {"coding": [{"system": SNOMED, "code": code}]}
            if kind["coding"][0]["code"] not in str(event["agent"]):
                event["agent"].append({"type": kind, **somebody})
    elif not any(one["requestor"] and "network" not in one for one in event["agent"]):
        system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
        kind = {"coding": [{"system": system, "code": "INF"}]}
        event["agent"].append({"type": kind, **somebody, "requestor": True})


def _mutations(event: Json) -> Iterator[Json]:
    """Everything taken away, altered, doubled or added, one thing at a time."""
    for path in list(_paths(event)):
        for change in (_without, _altered, _doubled):
            other = copy.deepcopy(event)
            if change(_at(other, path[:-1]), path[-1]):
                yield other
    for part in ("agent", "entity"):
        for number in range(len(event[part])):
            for name, value in ADDED.items():
                other = copy.deepcopy(event)
                other[part][number].setdefault(name, value)
                yield other
    yield {**event, "modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}
    yield {**event, "meta": event["meta"], "agent": event["agent"][:1], "entity": event["entity"][:1]}


def _paths(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*so_far, key)
        yield from _paths(inner, (*so_far, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _without(inside: Any, key: Any) -> bool:
    del inside[key]
    return True


def _altered(inside: Any, key: Any) -> bool:
    value = inside[key]
    if isinstance(value, bool):
        inside[key] = not value
    elif isinstance(value, str):
        inside[key] = f"?{value}"
    return isinstance(value, bool | str)


def _doubled(inside: Any, key: Any) -> bool:
    if isinstance(inside, list):
        inside.append(copy.deepcopy(inside[key]))
    return isinstance(inside, list)


@pytest.mark.parametrize("tag", TAGS)
def test_the_events_of_each_tag_keep_what_they_claim(tag: str) -> None:
    for made in (bare, full, refused, several, hostile):
        for event in (balp.event(made(tag), SOURCE), *balp.events_of(made(tag), SOURCE)):
            assert balp_rules.broken(event) == []


@pytest.mark.parametrize("pattern", Pattern)
def test_each_constraint_of_a_profile_refuses_something(pattern: Pattern) -> None:
    event = _about(pattern)
    assert balp_rules.broken(event) == []
    names = {name for name, _ in balp_rules.constraints(pattern)}
    assert len(names) == len(balp_rules.constraints(pattern))  # each is told from the others
    seen = {name for other in _mutations(event) for name in balp_rules.broken(other)}
    assert names <= seen, sorted(names - seen)


def test_each_constraint_of_the_resource_refuses_something() -> None:
    event = _about(Pattern.PATIENT_READ)
    event["entity"][-1]["name"] = "x"
    seen = {name for other in _mutations(event) for name in balp_rules.broken(other)}
    names = {"resourceType", "id", "type", "action", "recorded", "outcome", "agent", "agent.requestor"}
    names |= {"agent.network.type", "source.observer", "sev-1", "entity.detail"}
    assert {f"AuditEvent: {name}" for name in names} <= seen


@pytest.mark.parametrize("pattern", Pattern)
def test_an_event_does_not_keep_the_profile_of_another(pattern: Pattern) -> None:
    """But that of a patient keeps the one it is derived from."""
    event = _about(pattern)
    for other in Pattern:
        if other not in (pattern, pattern.removeprefix("Patient")):
            event["meta"] = {"profile": [f"{BALP}{other}"]}
            assert balp_rules.broken(event), other


@pytest.mark.parametrize(
    "time", ["2026-11-23", "2026-11-23T10:00Z", "2026-13-23T10:00:00Z", "2026-11-23T10:00:00"]
)
def test_a_time_that_is_no_instant_is_refused(time: str) -> None:
    event = {**_about(Pattern.READ), "recorded": time}
    assert balp_rules.broken(event) == ["AuditEvent: recorded"]


def test_a_profile_that_is_not_known_is_told_of() -> None:
    event = {**_about(Pattern.READ), "meta": {"profile": ["urn:other", f"{BALP}Merge"]}}
    assert balp_rules.broken(event) == [
        "meta.profile: urn:other is not known here",
        f"meta.profile: {BALP}Merge is not known here",
    ]


@pytest.mark.parametrize(
    "event", [{}, {"agent": 7}, {"meta": 3, "agent": [{}], "entity": "x"}, {"entity": [3]}]
)
def test_what_is_no_event_is_refused_and_nothing_worse(event: Json) -> None:
    event = {**event, "meta": {"profile": [f"{BALP}{one}" for one in Pattern]}}
    assert len(balp_rules.broken(event)) > 100
