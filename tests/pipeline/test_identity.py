"""What a resource is found by at a server that chooses ids, and what asks it to be written: pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from connector.fhir import validate
from connector.pipeline.identity import Identity, Known, by_search, own_system, pointed, temporary, update

SYSTEM = own_system("demo")
SERVER = Identity("server", SYSTEM)
Json = dict[str, Any]


def numbered(*given: tuple[str, str, str], **more: Any) -> Json:
    """Identifiers by type code, system and value."""
    listed = []
    for code, system, value in given:
        kind = {"type": {"coding": [{"code": code}]}} if code else {}
        listed.append({"system": system, "value": value, **kind, **more})
    return {"identifier": listed}


def known(key: str, content: Json) -> Known:
    kind, _, identity = key.partition("/")
    return SERVER.known({key: {"resourceType": kind, "id": identity, **content}})[key]


OWN = Known("identifier", SYSTEM, "a1")
BEST: list[tuple[str, Json, Known]] = [
    ("Patient/a1", {}, OWN),
    ("Patient/a1", numbered(("MR", "urn:x", "1")), Known("identifier", "urn:x", "1")),
    ("Patient/a1", numbered(("SS", "urn:s", "9"), ("MR", "urn:x", "1")), Known("identifier", "urn:x", "1")),
    ("Patient/a1", numbered(("AN", "urn:x", "1")), OWN),
    ("Patient/a1", numbered(("", "urn:x", "1")), Known("identifier", "urn:x", "1")),
    ("Patient/a1", numbered(("MR", "urn:x", "1"), use="old"), OWN),
    ("Patient/a1", {"identifier": [{"value": "1"}]}, OWN),
    ("Patient/a1", {"identifier": [{"system": "urn:x"}]}, OWN),
    ("Encounter/a1", numbered(("AN", "urn:x", "1"), ("VN", "urn:x", "2")), Known("identifier", "urn:x", "2")),
    ("Observation/a1", numbered(("FILL", "urn:x", "1")), OWN),
    ("Observation/a1", numbered(("", "urn:x", "1")), Known("identifier", "urn:x", "1")),
    ("DiagnosticReport/a1", numbered(("PLAC", "urn:x", "1"), ("FILL", "urn:y", "2")),
     Known("identifier", "urn:y", "2")),
    ("Organization/a1", numbered(("XX", "urn:x", "1")), Known("identifier", "urn:x", "1")),
    ("Composition/a1", {"identifier": {"system": "urn:x", "value": "1"}}, Known("identifier", "urn:x", "1")),
    ("Provenance/a1", {}, Known("_tag", SYSTEM, "a1")),
    ("MessageHeader/a1", {}, Known("_tag", SYSTEM, "a1")),
]  # fmt: skip


@pytest.mark.parametrize(("key", "content", "expected"), BEST)
def test_what_names_a_resource_best(key: str, content: Json, expected: Known) -> None:
    assert known(key, content) == expected


def test_two_under_one_identifier_are_told_apart_by_ours() -> None:
    same = numbered(("", "urn:x", "1"))
    resources = {
        key: {"resourceType": key.partition("/")[0], "id": key.partition("/")[2], **same}
        for key in ("Observation/a", "Observation/b", "Specimen/c")
    }
    found = SERVER.known(resources)
    assert [found[key].system for key in resources] == [SYSTEM, SYSTEM, "urn:x"]


def test_ours_is_added_once_and_taken_off_again() -> None:
    result = {"resourceType": "Observation", "id": "a1", **numbered(("FILL", "urn:x", "1"))}
    named = SERVER.named(SERVER.named(result, OWN), OWN)
    assert named["identifier"] == [*result["identifier"], {"system": SYSTEM, "value": "a1"}]
    assert SERVER.without_own(named) == result
    assert SERVER.without_own(result) is result


def test_a_type_with_one_identifier_keeps_its_form() -> None:
    document = {"resourceType": "Composition", "id": "a1"}
    named = SERVER.named(document, OWN)
    assert named["identifier"] == {"system": SYSTEM, "value": "a1"}
    assert SERVER.without_own(named) == document


def test_a_type_without_identifiers_gets_a_tag_beside_its_others() -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "a1",
        "meta": {"tag": [{"system": "urn:t", "code": "P"}]},
    }
    named = SERVER.named(SERVER.named(header, Known("_tag", SYSTEM, "a1")), Known("_tag", SYSTEM, "a1"))
    assert named["meta"]["tag"] == [{"system": "urn:t", "code": "P"}, {"system": SYSTEM, "code": "a1"}]


@pytest.mark.parametrize(
    "value", ["1", "a b", "a&b=c", "ä€", "1+2%", "a#b", "x|y", "x,y", "x$y", "x\\y", "<>"]
)
def test_any_value_is_one_token_of_one_parameter(value: str) -> None:
    query = Known("identifier", "urn:oid:2.999", value).query
    assert query.isascii()
    assert not set(query.partition("=")[2]) & set("&=#+ ?|")
    system, _, token = unquote(query.partition("=")[2]).partition("|")
    assert system == "urn:oid:2.999"
    assert token.replace("\\", "") == value.replace("\\", "")
    assert token.count("\\") >= sum(value.count(mark) for mark in "|,$\\")


def test_the_first_request_has_no_id_and_a_condition() -> None:
    patient = {"resourceType": "Patient", "id": "a1", **numbered(("MR", "urn:x", "1"))}
    one = Known("identifier", "urn:x", "1")
    created = SERVER.first("Patient/a1", patient, one)
    assert created["request"] == {"method": "POST", "url": "Patient", "ifNoneExist": one.query}
    put = Identity("conditional", SYSTEM).first("Patient/a1", patient, one)
    assert put["request"] == {"method": "PUT", "url": f"Patient?{one.query}"}
    for entry in (created, put):
        assert "id" not in entry["resource"]
        assert entry["fullUrl"] == temporary("Patient/a1")


def test_temporary_names_are_urns_that_stay() -> None:
    assert temporary("Patient/a1") == temporary("Patient/a1")
    assert len({temporary(key) for key in ("Patient/a", "Patient/b", "Encounter/a")}) == 3
    entry = {"fullUrl": temporary("Patient/a1"), "resource": {"resourceType": "Patient"}}
    entry["request"] = {"method": "POST", "url": "Patient"}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert not list(validate.models(bundle))


def test_the_system_of_our_identifiers_follows_from_the_namespace() -> None:
    assert own_system("demo") == own_system("demo") != own_system("other")
    assert own_system("demo").startswith("urn:uuid:")


def test_an_update_carries_no_stamps_of_the_server() -> None:
    meta = {"versionId": "3", "lastUpdated": "2026-11-23T10:00:00Z", "profile": ["urn:p"]}
    entry = update("https://x.test", "Patient/s1", {"resourceType": "Patient", "id": "a1", "meta": meta}, "3")
    assert entry["resource"] == {"resourceType": "Patient", "id": "s1", "meta": {"profile": ["urn:p"]}}
    assert entry["request"] == {"method": "PUT", "url": "Patient/s1", "ifMatch": 'W/"3"'}
    bare = update("https://x.test", "Patient/s1", {"resourceType": "Patient", "meta": {"versionId": "3"}}, "")
    assert bare["resource"] == {"resourceType": "Patient", "id": "s1"}
    assert "ifMatch" not in bare["request"]


def test_a_reference_to_what_has_no_known_id_says_its_identifier() -> None:
    target = Known("identifier", "urn:x", "1")
    result = {"subject": {"reference": "Patient/a1", "display": "Muster", "type": "Patient"}, "note": []}
    plain = pointed(result, lambda reference: by_search(reference, target, searches=False))
    assert plain["subject"] == {
        "type": "Patient",
        "identifier": {"system": "urn:x", "value": "1"},
        "display": "Muster",
    }
    found = pointed(result, lambda reference: by_search(reference, target, searches=True))
    assert found["subject"]["reference"] == f"Patient?{target.query}"
    assert pointed(result, lambda reference: None) == result
