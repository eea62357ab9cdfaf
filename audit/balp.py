"""An entry as a FHIR R4 AuditEvent, after the patterns of IHE BALP 1.1.

An event claims a profile (``meta.profile``) where it keeps one: ``audit.events`` says which, and
``audit.balp_rules`` checks it. The sequence number and the leaf hash of the entry are details of the last
entity, so that every event leads back to its inclusion proof.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from audit import codes, events, parties
from audit.codes import Code
from audit.events import BALP, OF_A_PATIENT, Event, Participant, Party, Pattern
from audit.parties import Named, Source

Json = dict[str, Any]
_REST: Final = {  # profile: its action, and the interaction that is its subtype
    Pattern.CREATE: (events.CREATE, Code(codes.REST, "create", "create")),
    Pattern.READ: (events.READ, Code(codes.REST, "read", "read")),
    Pattern.UPDATE: (events.UPDATE, Code(codes.REST, "update", "update")),
    Pattern.DELETE: (events.DELETE, Code(codes.REST, "delete", "delete")),
    Pattern.QUERY: (events.EXECUTE, Code(codes.REST, "search", "search")),
}
_INTERACTIONS: Final = _REST | {OF_A_PATIENT[basic]: said for basic, said in _REST.items()}
_DISCLOSURES: Final = frozenset({Pattern.DISCLOSED, Pattern.RECEIVED})
_DELETES: Final = frozenset({Pattern.DELETE, Pattern.PATIENT_DELETE})
_UNKNOWN: Final = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")  # the name of a type of resources
_ID: Final = 40  # hexadecimal digits of the leaf hash in an id, which FHIR limits to 64 characters


def events_of(entry: Mapping[str, Any], source: Source, written: bytes | None = None) -> list[Json]:
    """The events of one entry: one for each patient it is about, as BALP asks (3:5.7.7), or just one.

    ``written``: the entry's bytes, where they are at hand. Raises ``UnknownTag``.
    """
    leaf = parties.leaf_of(entry, written)
    patients = parties.patients(entry)
    if len(patients) < 2:
        return [_event(entry, source, leaf, patients, leaf.hex()[:_ID])]
    name = leaf.hex()[:_ID]
    return [_event(entry, source, leaf, [one], f"{name}-{i}") for i, one in enumerate(patients, start=1)]


def event(entry: Mapping[str, Any], source: Source, written: bytes | None = None) -> Json:
    """One event that says all of an entry; one about several patients keeps no profile of BALP.

    ``written``: the entry's bytes, where they are at hand. Raises ``UnknownTag``.
    """
    leaf = parties.leaf_of(entry, written)
    return _event(entry, source, leaf, parties.patients(entry), leaf.hex()[:_ID])


def _event(entry: Mapping[str, Any], source: Source, leaf: bytes, patients: Sequence[str], name: str) -> Json:
    row = events.of(entry)
    kept = events.pattern(row, entry, len(patients))
    said: Json = {"resourceType": "AuditEvent", "id": name}
    if kept is not None:
        said["meta"] = {"profile": [f"{BALP}{kept}"]}
    said.update(_kind(row, entry["tag"], kept))
    said["recorded"] = entry["time"]
    said["outcome"] = str(events.outcome(row, entry["outcome"]))
    if entry["reason"]:
        said["outcomeDesc"] = _text(entry["reason"])
    if parties.emergency(entry):
        said["purposeOfEvent"] = [_concept(codes.BREAK_THE_GLASS)]
    said["agent"] = [
        _agent(one, entry, source, kept)
        for one in row.shape
        if one.party is not Party.SITE or kept is Pattern.DISCLOSED
    ]
    said["source"] = _source(source)
    said["entity"] = _entities(row, entry, source, leaf, patients, kept)
    return said


@lru_cache(maxsize=1024)
def _kind(row: Event, tag: str, kept: Pattern | None) -> Json:
    """Type, subtypes and action; shared by all events alike, so not to be changed."""
    ours = _coding(Code(codes.TAGS, tag, tag))
    if kept in _INTERACTIONS:
        action, interaction = _INTERACTIONS[kept]
        more = [] if kept in _DELETES else [ours]  # a deletion has exactly one subtype
        return {"type": _coding(codes.RESTFUL), "subtype": [_coding(interaction), *more], "action": action}
    kinds = [codes.DISCLOSE] if kept in _DISCLOSURES else list(row.types)
    return {"type": _coding(row.id), "subtype": [*map(_coding, kinds), ours], "action": row.action}


@lru_cache(maxsize=512)
def _coding(code: Code) -> Json:
    return {"system": code.system.uri, "code": code.code, "display": code.display}


@lru_cache(maxsize=512)
def _concept(code: Code) -> Json:
    return {"coding": [_coding(code)]}


def _agent(one: Participant, entry: Mapping[str, Any], source: Source, kept: Pattern | None) -> Json:
    if one.party is Party.SELF:
        return _ourselves(one, source)
    named = parties.party(one.party, entry, source)
    said: Json = {"type": _concept(one.role), "who": _who(one.party, named), "requestor": one.requestor}
    if one.party is Party.PERSON:
        said["name"] = _text(named.name or named.id)
        if entry["actor"].get("emergency"):
            said["purposeOfUse"] = [_concept(codes.BREAK_THE_GLASS)]
        if kept is not None:
            return said  # people are no network devices
    if one.party is not Party.SITE:
        said["network"] = _network(named.address)
    return said


@lru_cache(maxsize=64)
def _ourselves(one: Participant, source: Source) -> Json:
    return {
        "type": _concept(one.role),
        "who": _observer(source),
        "requestor": one.requestor,
        "network": _network(source.host),
    }


@lru_cache(maxsize=16)
def _observer(source: Source) -> Json:
    """Who reports: the same reference wherever it stands, since BALP compares them (val-audit-source)."""
    known = parties.systems(source)
    host = _text(source.host)
    return {"type": "Device", "identifier": {"system": known.host, "value": host}, "display": host}


@lru_cache(maxsize=16)
def _source(source: Source) -> Json:
    return {"site": _text(source.site), "observer": _observer(source), "type": [_coding(codes.SERVER)]}


def _who(party: Party, named: Named) -> Json:
    said: Json = {"identifier": {"system": named.system, "value": _text(named.id)}}
    if party is Party.SITE:
        said["type"] = "Organization"
    return said


def _network(address: str) -> Json:
    return {"address": _text(address), "type": parties.network_type(address)} if address else _UNKNOWN


def _entities(
    row: Event,
    entry: Mapping[str, Any],
    source: Source,
    leaf: bytes,
    patients: Sequence[str],
    kept: Pattern | None,
) -> list[Json]:
    found = [_patient(one, source) for one in patients]
    found.append(_asked(entry) if row.id is codes.QUERY else _data(row, entry, source, kept))
    if entry["correlation"]:
        found.append(
            {
                "what": {"identifier": {"value": _text(entry["correlation"])}},
                "type": _coding(codes.REQUEST_ID),
            }
        )
    found.append(_log_entry(entry, source, leaf))
    return found


def _patient(pseudonym: str, source: Source) -> Json:
    what = {
        "type": "Patient",
        "identifier": {"system": parties.systems(source).patient, "value": _text(pseudonym)},
    }
    return {"what": what, "type": _coding(codes.PERSON), "role": _coding(codes.PATIENT)}


def _data(row: Event, entry: Mapping[str, Any], source: Source, kept: Pattern | None) -> Json:
    named = parties.subject(row, entry, source)
    what: Json = {"identifier": {"system": named.system, "value": _text(named.id)}}
    kind = entry["object"].get("resource", "")
    if _TYPE.fullmatch(kind):
        what["type"] = kind
    said = {"what": what, "type": _coding(codes.SYSTEM_OBJECT), "role": _coding(row.subject.role)}
    if row.lifecycle and kept not in _DELETES:
        said["lifecycle"] = _coding(codes.LIFECYCLES[row.lifecycle])
    return said


def _asked(entry: Mapping[str, Any]) -> Json:
    return {
        "type": _coding(codes.SYSTEM_OBJECT),
        "role": _coding(codes.QUERIED),
        "query": b64encode(parties.query(entry)).decode("ascii"),
    }


def _log_entry(entry: Mapping[str, Any], source: Source, leaf: bytes) -> Json:
    """The entry itself, by its number, with what it says beside what the event says elsewhere."""
    return {
        "what": {
            "identifier": {"system": parties.systems(source).entry, "value": parties.said(entry["seq"])}
        },
        "type": _coding(codes.OTHER),
        "detail": [_detail(kind, value) for kind, value in parties.details(entry, leaf)],
    }


def _detail(kind: str, value: str) -> Json:
    """What is no string of FHIR is said as bytes, so that it is said exactly."""
    if _text(value) == value:
        return {"type": kind, "valueString": value}
    return {"type": kind, "valueBase64Binary": b64encode(value.encode("utf-8")).decode("ascii")}


def _text(value: str) -> str:
    """A string of FHIR R4: no control characters, no blanks at the ends, and not empty."""
    return (_CONTROLS.sub("\ufffd", value).strip() if _CONTROLS.search(value) else value.strip()) or "\ufffd"
