"""An entry as an ATNA audit message: the XML of DICOM PS3.15 A.5.1, as IHE ITI-20 sends it.

Written as text, since a million of them have to be: each part is a template whose values are escaped. What
XML 1.0 cannot say at all (control characters, halves of surrogate pairs) is replaced by U+FFFD; the values of
ParticipantObjectDetail are base64, as the schema has it, and say everything exactly.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from audit import codes, events, parties
from audit.codes import Code
from audit.events import Event, Participant, Party, Pattern
from audit.parties import Named, Source

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_URI: Final = Code(codes.OBJECT_ID, "12", "URI")  # A.5.1.2.4
_PATIENT_NUMBER: Final = Code(codes.OBJECT_ID, "2", "Patient Number")
_SEARCH_CRITERIA: Final = Code(codes.OBJECT_ID, "10", "Search Criteria")
_MEDIA: Final = {  # A.5.3.4 and A.5.3.5: the far end of an export or import is its medium as well
    codes.EXPORT: Code(codes.DCM, "110154", "Destination Media"),
    codes.IMPORT: Code(codes.DCM, "110155", "Source Media"),
}
_BY_URI: Final = Code(codes.DCM, "110037", "URI")  # PS3.16 CID 405
_LOG_NAME: Final = "Security Audit Log"  # table A.5.3.2-1
_SPECIAL: Final = re.compile("[^ !#-%'-;=?-~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip
_REPLACED: Final = "\ufffd"


def message(entry: Mapping[str, Any], source: Source, written: bytes | None = None) -> bytes:
    """The audit message of one entry, UTF-8. ``written``: the entry's bytes, where they are at hand.

    Raises ``UnknownTag``.
    """
    row = events.of(entry)
    return "".join(
        (
            _DECLARATION,
            "<AuditMessage>",
            _event(row, entry),
            *(_participant(row, one, entry, source) for one in row.shape if _shows(one, entry)),
            _source(source),
            *(_patient(pseudonym, source) for pseudonym in parties.patients(entry)),
            _subject(row, entry, source, parties.leaf_of(entry, written)),
            "</AuditMessage>",
        )
    ).encode("utf-8")


def escaped(text: str) -> str:
    """Text for an attribute in double quotes, or for an element."""
    return _SPECIAL.sub(_escape, text) if _SPECIAL.search(text) else text


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return _ESCAPES.get(letter) or (letter if "\x7f" <= letter <= "\x9f" else _REPLACED)


@lru_cache(maxsize=512)
def _coded(element: str, code: Code) -> str:
    return (
        f'<{element} csd-code="{escaped(code.code)}" codeSystemName="{escaped(code.system.name)}"'
        f' displayName="{escaped(code.display)}" originalText="{escaped(code.display)}"/>'
    )


@lru_cache(maxsize=1024)
def _kinds(row: Event, tag: str, disclosed: bool, emergency: bool) -> str:
    """EventID and the EventTypeCodes: the standard's, then ours."""
    kinds = [*row.types, *([codes.DISCLOSURE] if disclosed else [])]
    kinds += [codes.BREAK_THE_GLASS] if emergency else []
    kinds.append(Code(codes.TAGS, tag, tag))
    return _coded("EventID", row.id) + "".join(_coded("EventTypeCode", kind) for kind in kinds)


def _event(row: Event, entry: Mapping[str, Any]) -> str:
    reason = entry["reason"]
    described = f"<EventOutcomeDescription>{escaped(reason)}</EventOutcomeDescription>" if reason else ""
    return (
        f'<EventIdentification EventActionCode="{row.action}" EventDateTime="{entry["time"]}"'
        f' EventOutcomeIndicator="{events.outcome(row, entry["outcome"])}">'
        f"{_kinds(row, entry['tag'], _disclosed(row, entry), parties.emergency(entry))}"
        f"{described}</EventIdentification>"
    )


def _disclosed(row: Event, entry: Mapping[str, Any]) -> bool:
    """One message may speak of several patients (A.5.3.4), where BALP wants an event for each."""
    if not parties.patients(entry):
        return False
    return events.pattern(row, entry, 1) in (Pattern.DISCLOSED, Pattern.RECEIVED)


def _shows(one: Participant, entry: Mapping[str, Any]) -> bool:
    """Who keeps the records is said where they are disclosed."""
    return one.party is not Party.SITE or bool(parties.patients(entry))


def _participant(row: Event, one: Participant, entry: Mapping[str, Any], source: Source) -> str:
    named = parties.party(one.party, entry, source)
    role = _coded("RoleIDCode", one.role)
    medium = _MEDIA.get(row.id) if one.party is Party.PEER else None
    if medium is not None:
        by_uri = _coded("MediaType", _BY_URI)
        role += f"{_coded('RoleIDCode', medium)}<MediaIdentifier>{by_uri}</MediaIdentifier>"
    return (
        f'<ActiveParticipant UserID="{escaped(named.id)}"'
        f"{_optional('AlternativeUserID', named.alternative)}{_optional('UserName', named.name)}"
        f' UserIsRequestor="{"true" if one.requestor else "false"}"{_network(named.address)}>'
        f"{role}</ActiveParticipant>"
    )


def _optional(attribute: str, value: str) -> str:
    return f' {attribute}="{escaped(value)}"' if value else ""


def _network(address: str) -> str:
    if not address:
        return ""
    kind = parties.network_type(address)
    return f' NetworkAccessPointID="{escaped(address)}" NetworkAccessPointTypeCode="{kind}"'


@lru_cache(maxsize=16)
def _source(source: Source) -> str:
    return (
        f'<AuditSourceIdentification AuditEnterpriseSiteID="{escaped(source.site)}"'
        f' AuditSourceID="{escaped(source.host)}"><AuditSourceTypeCode csd-code="4"/>'
        "</AuditSourceIdentification>"
    )


def _patient(pseudonym: str, source: Source) -> str:
    where = quote(parties.systems(source).patient, safe=":%")
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{where}:{quote(pseudonym, safe="")}"'
        ' ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1">'
        f"{_coded('ParticipantObjectIDTypeCode', _PATIENT_NUMBER)}"
        "<ParticipantObjectName>(a pseudonym)</ParticipantObjectName></ParticipantObjectIdentification>"
    )


def _subject(row: Event, entry: Mapping[str, Any], source: Source, leaf: bytes) -> str:
    named = parties.subject(row, entry, source)
    lifecycle = f' ParticipantObjectDataLifeCycle="{row.lifecycle}"' if row.lifecycle else ""
    role = codes.QUERIED if row.id is codes.QUERY else row.subject.role
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{_uri(named)}" ParticipantObjectTypeCode="2"'
        f' ParticipantObjectTypeCodeRole="{role.code}"{lifecycle}>{_named(row, entry)}'
        f"{''.join(_details(row, entry, leaf))}</ParticipantObjectIdentification>"
    )


def _named(row: Event, entry: Mapping[str, Any]) -> str:
    """What kind of identifier it is, and a name or the query (either is asked for)."""
    if row.id is codes.QUERY:
        asked = b64encode(parties.query(entry)).decode("ascii")
        kind = _coded("ParticipantObjectIDTypeCode", _SEARCH_CRITERIA)
        return f"{kind}<ParticipantObjectQuery>{asked}</ParticipantObjectQuery>"
    name = _LOG_NAME if row.subject is events.LOG else row.subject.name
    kind = _coded("ParticipantObjectIDTypeCode", _URI)
    return f"{kind}<ParticipantObjectName>{name}</ParticipantObjectName>"


def _uri(named: Named) -> str:
    return f"{quote(named.system, safe=':%')}:{quote(named.id, safe='')}"


def _details(row: Event, entry: Mapping[str, Any], leaf: bytes) -> Iterator[str]:
    if row.id is codes.SECURITY_ALERT:  # table A.5.3.11-1
        yield _detail("Alert Description", f"{entry['tag']} {entry['reason']}".rstrip())
    for kind, value in parties.details(entry, leaf):
        yield _detail(kind, value)


def _detail(kind: str, value: str) -> str:
    packed = b64encode(value.encode("utf-8", "replace")).decode("ascii")
    return f'<ParticipantObjectDetail type="{escaped(kind)}" value="{packed}"/>'
