"""Audit messages: valid by the schema of DICOM PS3.15, and safe and exact whatever an entry says."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import xmlschema

import audit
from audit import atna, events
from audit.canonical import canonical
from audit.entry import Tag
from audit.events import EVENTS
from audit.merkle import leaf_hash
from audit.parties import Source
from tests.audit.bare import HOSTILE, OTHER, PATIENT, SOURCE, bare, full, hostile, refused, several
from tests.audit.samples import log, samples

SCHEMA: Final = xmlschema.XMLSchema10(Path(audit.__file__).parent / "atna.xsd")
TAGS: Final = sorted(map(str, Tag))


def _root(entry: dict[str, Any]) -> ET.Element:
    return ET.fromstring(atna.message(entry, SOURCE))  # noqa: S314 - our own


def _details(root: ET.Element) -> dict[str, str]:
    found = root.iter("ParticipantObjectDetail")
    return {one.get("type", ""): b64decode(one.get("value", "")).decode("utf-8") for one in found}


@pytest.mark.parametrize("tag", TAGS)
def test_the_message_of_each_tag_is_valid(tag: str) -> None:
    for made in (bare, full, refused, several, hostile):
        SCHEMA.validate(_root(made(tag)))


@pytest.mark.parametrize("entry", [*samples(), *log(200)], ids=lambda entry: entry["tag"])
def test_the_messages_of_a_real_log_are_valid(entry: dict[str, Any]) -> None:
    SCHEMA.validate(_root(entry))


@pytest.mark.parametrize("tag", TAGS)
def test_a_message_says_what_the_table_of_events_says(tag: str) -> None:
    row, root = EVENTS[tag], _root(refused(tag))
    event = root.find("EventIdentification")
    assert event is not None
    assert event.get("EventActionCode") == row.action
    assert event.get("EventOutcomeIndicator") == str(row.failing)
    assert event.get("EventDateTime") == "2026-11-23T10:00:00.123Z"
    assert event.findtext("EventOutcomeDescription") == "Forbidden"
    assert (event.find("EventID") or event[0]).get("csd-code") == row.id.code
    kinds = [one.get("csd-code") for one in event.iter("EventTypeCode")]
    assert kinds[: len(row.types)] == [one.code for one in row.types]
    assert kinds[-1] == tag
    requestors = [one.get("UserIsRequestor") for one in root.iter("ActiveParticipant")]
    assert requestors.count("true") == 1


@pytest.mark.parametrize("tag", TAGS)
def test_a_message_leads_back_to_its_entry(tag: str) -> None:
    entry = full(tag)
    details = _details(_root(entry))
    assert details["sequence"] == "7"
    assert details["leaf-hash"] == leaf_hash(canonical(entry)).hex()
    assert details["tag"] == tag
    assert details["object.link"] == "anna"


def test_the_bytes_of_the_entry_need_not_be_made_again() -> None:
    entry = full("message:v2:received")
    assert atna.message(entry, SOURCE, canonical(entry)) == atna.message(entry, SOURCE)
    other = _details(ET.fromstring(atna.message(entry, SOURCE, b"something else")))  # noqa: S314
    assert other["leaf-hash"] == leaf_hash(b"something else").hex()


def test_a_patient_is_an_object_by_the_pseudonym_alone() -> None:
    root = _root(several("message:v2:received"))
    people = [one for one in root.iter("ParticipantObjectIdentification") if one.get(_TYPE) == "1"]
    ids = [one.get("ParticipantObjectID", "") for one in people]
    assert [one.rpartition(":")[2] for one in ids] == [PATIENT, OTHER]
    assert {one.get("ParticipantObjectTypeCodeRole") for one in people} == {"1"}
    assert {one.findtext("ParticipantObjectName") for one in people} == {"(a pseudonym)"}


_TYPE: Final = "ParticipantObjectTypeCode"


@pytest.mark.parametrize(
    ("tag", "disclosed"),
    [("delivery:v2:acknowledged", True), ("message:v2:received", True), ("delivery:v2:intended", False)],
)
def test_a_disclosure_has_the_code_that_ihe_gave_it(tag: str, disclosed: bool) -> None:
    kinds = [one.get("csd-code") for one in _root(full(tag)).iter("EventTypeCode")]
    assert ("IHE0006" in kinds) is disclosed
    assert "IHE0006" not in [one.get("csd-code") for one in _root(bare(tag)).iter("EventTypeCode")]


def test_what_was_done_over_broken_glass_says_so() -> None:
    root = _root(full("operator:content:viewed"))
    assert "BTG" in [one.get("csd-code") for one in root.iter("EventTypeCode")]


def test_a_search_says_its_kind_and_no_value() -> None:
    root = _root(full("operator:content:searched"))
    assert b64decode(root.findtext(".//ParticipantObjectQuery") or "") == b"find?kind=mrn"


def test_an_address_is_said_without_its_port_and_by_its_kind() -> None:
    seen = {}
    for address in ("10.0.0.1:1", "[fe80::1%eth0]:22", "fe80::1", "lab.example:443", "lab.example"):
        root = _root(full("tls:peer:refused") | {"actor": {"role": "peer", "address": address}})
        one = next(root.iter("ActiveParticipant"))
        seen[one.get("NetworkAccessPointID")] = one.get("NetworkAccessPointTypeCode")
    assert seen == {"10.0.0.1": "2", "fe80::1%eth0": "2", "fe80::1": "2", "lab.example": "1"}


def test_the_source_is_the_site_and_the_host_and_they_may_be_called_anything() -> None:
    written = atna.message(full("service:started"), Source(HOSTILE, "a & b"))
    root = ET.fromstring(written)  # noqa: S314
    SCHEMA.validate(root)
    source = root.find("AuditSourceIdentification")
    assert source is not None
    assert source.get("AuditSourceID") == "a & b"


@pytest.mark.parametrize("tag", TAGS)
def test_what_xml_cannot_say_is_replaced_and_the_details_say_it_exactly(tag: str) -> None:
    entry = hostile(tag)
    root = _root(entry)
    assert _details(root)["object.because"] == HOSTILE
    said = "".join(text for one in root.iter() for text in (*one.attrib.values(), one.text or ""))
    assert "\x00" not in said
    assert "\ufffe" not in said
    described = root.findtext(".//EventOutcomeDescription") or ""
    assert described == HOSTILE.translate({0: "\ufffd", 0x1F: "\ufffd", 0xFFFE: "\ufffd"})


@pytest.mark.parametrize(
    "codepoint", [*range(0x100), 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0xFFFD, 0xFFFF, 0x10FFFF]
)
def test_every_character_comes_out_as_it_went_in_or_replaced(codepoint: int) -> None:
    letter = chr(codepoint)
    text = atna.escaped(f"a{letter}b")
    attribute = ET.fromstring(f'<x y="{text}">{text}</x>')  # noqa: S314
    legal = codepoint in (9, 10, 13) or 0x20 <= codepoint < 0xD800 or 0xE000 <= codepoint < 0xFFFE
    wanted = letter if legal or codepoint >= 0x10000 else "\ufffd"
    assert attribute.get("y") == f"a{wanted}b"
    assert attribute.text == f"a{wanted}b"


def test_a_tag_that_is_not_known_makes_no_message() -> None:
    with pytest.raises(events.UnknownTag):
        atna.message(bare("service:paused"), SOURCE)


# --- what the schema refuses ---------------------------------------------------------------------------


def _set(path: str, name: str, value: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        found.set(name, value)

    return change


def _unset(path: str, name: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        del found.attrib[name]

    return change


def _without(path: str, name: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        parent = root.find(path)
        assert parent is not None, path
        for child in parent.findall(name):
            parent.remove(child)

    return change


def _twice(path: str, name: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        parent = root.find(path)
        assert parent is not None, path
        parent.insert(0, parent.findall(name)[0])

    return change


def _turned(path: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        parent = root.find(path)
        assert parent is not None, path
        parent[:] = reversed(parent)

    return change


def _with(path: str, name: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        parent = root.find(path)
        assert parent is not None, path
        ET.SubElement(parent, name)

    return change


_EVENT: Final = "EventIdentification"
_WHO: Final = "ActiveParticipant"
_FROM: Final = "AuditSourceIdentification"
_WHAT: Final = "ParticipantObjectIdentification[2]"
MUTATIONS: Final = {
    "no event": _without(".", _EVENT),
    "two events": _twice(".", _EVENT),
    "nobody": _without(".", _WHO),
    "no source": _without(".", _FROM),
    "two sources": _twice(".", _FROM),
    "another order": _turned("."),
    "another element": _with(".", "Note"),
    "no EventID": _without(_EVENT, "EventID"),
    "two EventIDs": _twice(_EVENT, "EventID"),
    "description before the codes": _turned(_EVENT),
    "no outcome": _unset(_EVENT, "EventOutcomeIndicator"),
    "an outcome of 5": _set(_EVENT, "EventOutcomeIndicator", "5"),
    "no time": _unset(_EVENT, "EventDateTime"),
    "a time that is none": _set(_EVENT, "EventDateTime", "2026-11-23 10:00"),
    "an action X": _set(_EVENT, "EventActionCode", "X"),
    "a purpose of use, which the standard does not have": _with(_EVENT, "PurposeOfUse"),
    "a code without a system": _unset(f"{_EVENT}/EventID", "codeSystemName"),
    "a code without a text": _unset(f"{_EVENT}/EventTypeCode", "originalText"),
    "a code in the old attribute": _set(f"{_EVENT}/EventID", "code", "110107"),
    "no user": _unset(_WHO, "UserID"),
    "nobody knows who asked": _unset(_WHO, "UserIsRequestor"),
    "a requestor of maybe": _set(_WHO, "UserIsRequestor", "maybe"),
    "a network of kind 6": _set(_WHO, "NetworkAccessPointTypeCode", "6"),
    "two media": _twice(_WHO, "MediaIdentifier"),
    "a medium of no type": _without(f"{_WHO}/MediaIdentifier", "MediaType"),
    "no source id": _unset(_FROM, "AuditSourceID"),
    "a source type without a code": _unset(f"{_FROM}/AuditSourceTypeCode", "csd-code"),
    "an object without an id": _unset(_WHAT, "ParticipantObjectID"),
    "an object of type 5": _set(_WHAT, "ParticipantObjectTypeCode", "5"),
    "an object of role 27": _set(_WHAT, "ParticipantObjectTypeCodeRole", "27"),
    "a life cycle of 16": _set(_WHAT, "ParticipantObjectDataLifeCycle", "16"),
    "an object without a kind of id": _without(_WHAT, "ParticipantObjectIDTypeCode"),
    "neither a name nor a query": _without(_WHAT, "ParticipantObjectName"),
    "a name and a query": _with(_WHAT, "ParticipantObjectQuery"),
    "a detail that is no base64": _set(f"{_WHAT}/ParticipantObjectDetail", "value", "no base64!"),
    "a detail without a type": _unset(f"{_WHAT}/ParticipantObjectDetail", "type"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_schema_refuses(name: str) -> None:
    root = _root(full("message:v2:received", reason="Forbidden"))
    assert SCHEMA.is_valid(root)
    MUTATIONS[name](root)
    assert not SCHEMA.is_valid(root)
