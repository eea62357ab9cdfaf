"""Where several v2 codes share one FHIR code, the sender's own comes back without the prior message."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

import pytest

from connector.hl7v2 import definitions, structure
from connector.hl7v2.structure import Part
from connector.hl7v2.tree import Message
from connector.mapping import ledger
from connector.mapping.codes import CodeTable, names
from connector.mapping.datatypes.coded import ALTERNATE
from connector.mapping.messages.registry import MESSAGE_MAPS
from connector.mapping.partner import Partner
from tests.guide.messages import LEAST, Fields, written
from tests.guide.values import VERSION, full_text
from tests.shipped import TRANSLATOR

_TABLE: Final = re.compile(r"\bHL7\d{4}(?:-[a-z]+)?\b")


class Use(NamedTuple):
    """A place of a segment that a table translates, and a message map that has it."""

    table: str
    place: str
    structure: str


def _uses() -> Iterator[Use]:
    for line in ledger.lines(MESSAGE_MAPS, Partner()):
        for table in dict.fromkeys(_TABLE.findall(line.by)):
            for each in MESSAGE_MAPS:
                said = any(line.segment in unit.segments for unit in each.units)
                if said and (not line.messages or each.name in line.messages):
                    known = (one for one in each.structures if path_to(one, line.segment))
                    if found := next(known, ""):
                        yield Use(table, line.place, found)
                        break


@cache
def path_to(name: str, segment: str) -> str:
    """``ORU_R01.PATIENT_RESULT.PATIENT.PID``; empty where the structure has no such segment."""
    code, _, event = name.partition("_")
    found = structure.of(VERSION, code, event)
    inside = _path(found.root, segment) if found else ""
    return f"{name}.{inside}" if inside else ""


def _path(part: Part, segment: str) -> str:
    for one in part.parts:
        if one.name == segment and not one.parts:
            return segment
        if one.parts and segment in one.holds and (inside := _path(one, segment)):
            return f"{one.name}.{inside}" if one.name else inside
    return ""


def shared(table: CodeTable) -> list[str]:
    """The v2 codes for which the table alone writes another one."""
    return [arrow.v2 for arrow in ledger.arrows(table) if arrow.arrow == ">"]


MANY: Final[Mapping[str, list[str]]] = {
    name: codes for name in names() if (codes := shared(CodeTable.load(name)))
}
# Why a code does not come back.
_NOT_KEPT: Final[Mapping[tuple[str, str], str]] = {
    ("HL70338", "L&I"): "holds a delimiter, for which the table took it back: LI is the same type",
}
_NO_CODES: Final[Mapping[str, str]] = {
    "HL70003-status": "the event itself is MessageHeader.eventCoding, and decides the status again",
    "HL70203": "L&I alone, which holds a delimiter",
    "HL70396": "names of coding systems, of which the standard's own is written",
}
_OTHER: Final[Mapping[str, str]] = {"RXA-21": "an action beside RXA-20, which has the codes of the table"}
# Rows of their own making do not name the tables they read.
_MORE: Final = (
    Use("HL70004-status", "PV1-2", "ADT_A01"),
    Use("HL70038", "ORC-5", "OML_O21"),
    Use("HL70038-prescription", "ORC-5", "OMP_O09"),
    Use("HL70119", "ORC-1", "OML_O21"),
    Use("HL70119-prescription", "ORC-1", "OMP_O09"),
    Use("HL70127-category", "AL1-2", "ADT_A01"),
    Use("HL70127-type", "AL1-2", "ADT_A01"),
    Use("HL70278", "SCH-25", "SIU_S12"),
    Use("HL70335", "TQ1-3.1", "OMP_O09"),
    Use("HL70357", "ERR-3", "ACK"),
    Use("HL70438-clinical", "IAM-17", "ADT_A60"),
    Use("HL70438-verification", "IAM-17", "ADT_A60"),
)
USES: Final = sorted({use for use in (*_uses(), *_MORE) if use.table in MANY and use.place not in _OTHER})


_BESIDE: Final[Mapping[str, Fields]] = {"ACC": {1: "20240101"}}


def _message(use: Use, code: str) -> str:
    segment, _, place = use.place.partition("-")
    number, *components = (int(one) for one in place.split("."))
    field = definitions.field(segment, number, VERSION)
    text = full_text(field.datatype, number, "", "") if field and components else code
    if components:
        text = _with(text, components, code)
    own: Fields = {**LEAST.get(segment, {}), **_BESIDE.get(segment, {}), number: text}
    return written(path_to(use.structure, segment), {}, own)[0]


def _with(text: str, at: list[int], code: str, signs: str = "^&") -> str:
    first, *rest = at
    parts = text.split(signs[0])
    parts += [""] * (first - len(parts))
    parts[first - 1] = _with(parts[first - 1], rest, code, signs[1:]) if rest and rest != [1] else code
    return signs[0].join(parts)


def _leaves(message: str) -> Counter[str]:
    texts = [text for one in Message.parse(message).segments for text in one.texts[1:]]
    return Counter(leaf for text in texts for leaf in re.split(r"[~^&]", text))


def _twin(table: CodeTable, code: str) -> str:
    """The code that the table alone would write."""
    coded = table.to_fhir[code]
    return table.to_v2.get((coded.system, coded.code), "")


def _back(use: Use, code: str) -> Counter[str]:
    return _leaves(TRANSLATOR.to_v2(TRANSLATOR.to_fhir(_message(use, code)).bundle).message)


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.table}-{use.place}-{use.structure}")
def test_a_code_that_shares_its_meaning_comes_back(use: Use) -> None:
    table = CodeTable.load(use.table)
    kept = [code for code in MANY[use.table] if (use.table, code) not in _NOT_KEPT]
    for code in kept:
        assert _back(use, code)[code] > _back(use, _twin(table, code))[code], code


def test_every_table_whose_codes_share_a_meaning_is_tried() -> None:
    assert MANY.keys() - {use.table for use in USES} == _NO_CODES.keys()


def test_a_confidentiality_that_shares_its_coding_stays_beside_the_code() -> None:
    message = (
        "MSH|^~\\&|A|B|||20240101||OML^O21^OML_O21|1|P|2.5.1\rPID|||1^^^H^MR\r"
        f"ORC|NW|P1{'|' * 26}AID\rOBR||P1||T1^Test^L\r"
    )
    bundle = TRANSLATOR.to_fhir(message).bundle
    (order,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    original = {"system": "http://terminology.hl7.org/CodeSystem/v2-0177", "code": "AID"}
    assert order["meta"]["security"] == [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "HIV",
            "display": "HIV/AIDS information sensitivity",
            "_code": {"extension": [{"url": ALTERNATE, "valueCodeableConcept": {"coding": [original]}}]},
        }
    ]
    order["meta"]["security"][0]["code"] = "PSY"
    assert TRANSLATOR.to_v2(bundle, message).message == message.replace("AID", "PSY")
