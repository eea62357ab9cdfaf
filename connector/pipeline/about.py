"""Whom and what a message is about: the identifiers by which people look for it.

medical record number   PID-2, 3, 4, MRG-1, 4; identifiers of Patient, and of references to one
account number          PID-18, MRG-3; identifiers of Account, and of Patient where of the type AN
accession number        OBR-3, OBR-18, ORC-3, IPC-1, SPM-30; identifiers of the types ACSN and FILL,
                        accessionIdentifier
control id              MSH-10; Bundle.identifier, or its id
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connector.hl7v2.delimiters import STANDARD, Delimiters
from connector.hl7v2.tree import Message, Segment
from connector.mapping.datatypes.identifiers import universal_id
from connector.mapping.partner import local_uri
from connector.pipeline.ports import Json
from connector.store import About, Kind

# segment: its fields, what they name, and where in the datatype the authority begins (CX-4, EI-2)
_FIELDS: Final[Mapping[str, tuple[tuple[int, Kind, int], ...]]] = {
    "PID": ((2, Kind.MRN, 4), (3, Kind.MRN, 4), (4, Kind.MRN, 4), (18, Kind.ACCOUNT, 4)),
    "MRG": ((1, Kind.MRN, 4), (3, Kind.ACCOUNT, 4), (4, Kind.MRN, 4)),
    "ORC": ((3, Kind.ACCESSION, 2),),
    "OBR": ((3, Kind.ACCESSION, 2), (18, Kind.ACCESSION, 2)),
    "IPC": ((1, Kind.ACCESSION, 2),),
    "SPM": ((30, Kind.ACCESSION, 4),),
}
_ACCOUNT_TYPES: Final = frozenset({"AN"})
_ACCESSION_TYPES: Final = frozenset({"ACSN", "FILL"})
_NOT_RECORDS: Final = frozenset({"AN", "SS", "SB", "DL", "PPN"})
_NULL: Final = '""'


def in_v2(message: Message, authorities: Mapping[str, str]) -> frozenset[About]:
    """What a v2 message is about. ``authorities``: HD.1 to ``Identifier.system``, as the profile has them."""
    found = {About(Kind.CONTROL_ID, message.control_id)}
    for segment in message.segments:
        for number, kind, at in _FIELDS.get(segment.name, ()):
            if segment.field(number):
                found.update(_in_field(segment, number, kind, at, authorities))
    return frozenset(one for one in found if one.value.strip())


def _in_field(
    segment: Segment, number: int, kind: Kind, at: int, authorities: Mapping[str, str]
) -> Iterator[About]:
    for sent in segment.repetitions(number):
        parts = sent.split(segment.delimiters.component)
        value = segment.delimiters.unescape(parts[0])
        if value.strip() and value != _NULL:
            yield About(kind, value, _authority(parts, at, segment.delimiters, authorities))


def _authority(parts: list[str], at: int, delimiters: Delimiters, known: Mapping[str, str]) -> str:
    """The same URI for an authority as FHIR has for it: of CX-4, or of EI-2 to EI-4."""
    within = parts[3].split(delimiters.subcomponent) if at == 4 and len(parts) > 3 else []
    said = [*(within if at == 4 else parts[1:4]), "", "", ""]
    name, oid, form = (delimiters.unescape(one) for one in said[:3])
    return known.get(name) or universal_id(oid, form) or (local_uri(name) if name.strip() else "")


def in_fhir(content: Json) -> frozenset[About]:
    """What a resource, or a Bundle of them, is about."""
    return frozenset(one for one in _within(content, "") if one.value.strip())


def _within(node: Any, name: str) -> Iterator[About]:
    if isinstance(node, list):
        for one in node:
            yield from _within(one, name)
    elif isinstance(node, dict):
        yield from _named(node, name)
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from _within(value, key)


def _named(node: Json, name: str) -> Iterator[About]:
    kind = node.get("resourceType")
    if kind == "Bundle":
        identifier = node.get("identifier")
        said = identifier.get("value") if isinstance(identifier, dict) else node.get("id")
        yield About(Kind.CONTROL_ID, _text(said))
    for identifier in _listed(node.get("identifier")):
        yield from _of_identifier(identifier, str(kind or _referred(node)))
    for identifier in _listed(node.get("accessionIdentifier")):
        yield About(Kind.ACCESSION, _text(identifier.get("value")), _text(identifier.get("system")))


def _of_identifier(identifier: Json, kind: str) -> Iterator[About]:
    value, system, types = _text(identifier.get("value")), _text(identifier.get("system")), _types(identifier)
    if types & _ACCESSION_TYPES:
        yield About(Kind.ACCESSION, value, system)
    elif kind == "Account" or (kind == "Patient" and types & _ACCOUNT_TYPES):
        yield About(Kind.ACCOUNT, value, system)
    elif kind == "Patient" and not types & _NOT_RECORDS:
        yield About(Kind.MRN, value, system)


def _referred(node: Json) -> str:
    """The type of what a reference refers to, where it says so."""
    return _text(node.get("type")) or _text(node.get("reference")).rpartition("/")[0].rpartition("/")[2]


def _types(identifier: Json) -> set[str]:
    said = identifier.get("type")
    return {_text(one.get("code")) for one in _listed(said.get("coding") if isinstance(said, dict) else None)}


def _listed(found: Any) -> Iterable[Json]:
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def asked(kind: Kind, text: str, authorities: Iterable[Mapping[str, str]]) -> frozenset[About]:
    """What a person means by ``ID`` or ``ID^^^AUTHORITY``, for each of some profiles' authorities.

    The authority as in CX-4 (``STV``, ``STV&1.2.3&ISO``), or as the URI that FHIR has for it.
    """
    parts = text.split("^")
    if len(parts) < 4 or not parts[3].strip():
        return frozenset({About(kind, parts[0])})
    return frozenset(About(kind, parts[0], _authority(parts, 4, STANDARD, known)) for known in authorities)
