"""Texts <-> FHIR primitives (HL7 v2.5.1 ch. 2A; FHIR R4 datatypes)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ...hl7v2 import times
from ..emit import Leaf, words
from ..lens import Binder, Bound, Codec
from ..partner import Partner
from ..places import Comps, Json, leaf, place, same, write_sub
from ..scope import Scope

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)\Z", re.ASCII)
_CODE = re.compile(r"\S+( \S+)*\Z")


def code_text(sent: str) -> str | None:
    """A FHIR ``code``: no blanks at either end, single ones inside."""
    if sent.isascii() and sent.isalnum():
        return sent
    return sent if _CODE.match(sent) else None


@dataclass(frozen=True, slots=True)
class Code:
    """A code <-> a code, by a table."""

    table: str

    def __call__(self, partner: Partner) -> Codec:
        table = partner.table(self.table)
        to_fhir = {v2: coded.code for v2, coded in table.to_fhir.items()}
        to_v2 = {code: v2 for v2, code in reversed(to_fhir.items())} | dict(table.codes_to_v2)

        def back(value: Any) -> str | None:
            return to_v2.get(value) if isinstance(value, str) else None

        return Codec(to_fhir.get, back, strict=True)


def raw_code(_: Partner) -> Codec:
    """A code that stands on both sides as it is."""
    return Codec(code_text, _text_only)


def _text_only(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def date(_: Partner) -> Codec:
    """DT, or the day of a DTM <-> date, at the precision sent."""
    return Codec(
        times.date_to_fhir,
        lambda value: times.date_to_v2(value) if isinstance(value, str) else None,
        strict=True,
    )


def date_time(partner: Partner) -> Codec:
    """DT, TS, DTM <-> dateTime, at the precision sent; the offset sent, else the partner's zone."""
    zone = partner.zone
    return Codec(
        lambda sent: times.dtm_to_fhir(sent, zone),
        lambda value: times.dtm_to_v2(value) if isinstance(value, str) else None,
        strict=True,
    )


def instant(partner: Partner) -> Codec:
    """TS, DTM <-> instant: only a time with at least minutes is one."""
    zone = partner.zone

    def to_fhir(sent: str) -> str | None:
        value = times.dtm_to_fhir(sent, zone)
        return value if value and "T" in value else None

    return Codec(
        to_fhir, lambda value: times.dtm_to_v2(value) if isinstance(value, str) else None, strict=True
    )


def time(_: Partner) -> Codec:
    """TM <-> time; FHIR's has no offset, so a time sent with one stays unsaid."""
    return Codec(times.tm_to_fhir, lambda value: times.tm_to_v2(value) if isinstance(value, str) else None)


def decimal(_: Partner) -> Codec:
    """NM <-> decimal, digit for digit (``0.40`` stays ``0.40``)."""

    def to_fhir(sent: str) -> Decimal | None:
        return Decimal(sent) if _NUMBER.match(sent) else None

    return Codec(to_fhir, number_text)


def number_text(value: Any) -> str | None:
    """A JSON number as NM; ``None`` where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, float)):
        return None
    return format(Decimal(str(value)), "f")


def integer(_: Partner) -> Codec:
    """NM, SI <-> integer."""

    def to_fhir(sent: str) -> int | None:
        return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else None

    return Codec(to_fhir, lambda value: str(value) if type(value) is int else None, strict=True)


def positive(_: Partner) -> Codec:
    """NM, SI <-> positiveInt."""

    def to_fhir(sent: str) -> int | None:
        return (int(sent) or None) if sent.isascii() and sent.isdigit() and len(sent) < 10 else None

    return Codec(to_fhir, lambda value: str(value) if type(value) is int else None, strict=True)


def yes_no(partner: Partner) -> Codec:
    """ID of table 0136 <-> boolean."""
    table = partner.table("HL70136")
    to_fhir = {v2: coded.code == "true" for v2, coded in table.to_fhir.items()}
    to_v2 = {code == "true": v2 for code, v2 in table.codes_to_v2.items()}
    return Codec(to_fhir.get, lambda value: to_v2.get(value) if isinstance(value, bool) else None)


@dataclass(frozen=True, slots=True)
class IdentifierType:
    """An identifier type code of table 0203 <-> ``Identifier.type``."""

    def __call__(self, partner: Partner) -> Codec:
        known = {v2: (coded.system, coded.code) for v2, coded in partner.table("HL70203").to_fhir.items()}

        def to_fhir(sent: str) -> Any:
            if (coded := known.get(sent)) is not None:
                return {"coding": [{"system": coded[0], "code": coded[1]}]}
            code = code_text(sent)
            return None if code is None else {"coding": [{"code": code}]}

        return Codec(to_fhir, _first_code)


def _first_code(value: Any) -> str | None:
    try:
        code = value["coding"][0]["code"]
    except (KeyError, IndexError, TypeError):
        return None
    return code if isinstance(code, str) else None


def text_code(_: Partner) -> Codec:
    """ST, ID, IS <-> string."""
    return Codec(words, _text_only)


def ends_before(start: str, end: str) -> bool:
    """Whether an end lies before its start, as far as their precisions tell (FHIR R4 invariant per-1)."""
    if "T" in start and "T" in end:
        if start[-6:] == end[-6:]:
            return end < start
        return datetime.fromisoformat(end) < datetime.fromisoformat(start)
    shared = min(len(start), len(end), len("2024-01-01"))
    return end[:shared] < start[:shared]


@dataclass(frozen=True, slots=True)
class End:
    """The end of a period whose start another row says first; one before the start stays unsaid."""

    at: str
    codec: Binder
    path: str = ""  # of the period; empty: the node itself

    def compile(self, partner: Partner) -> Bound:
        component, sub = leaf(self.at)
        codec = self.codec(partner)
        to_fhir, to_v2 = codec.to_fhir, codec.to_v2
        path = f"{self.path}." if self.path else ""
        start_of, (end_of, write_end) = place(path + "start")[0], place(path + "end")

        def get(sent: str, node: Json) -> bool:
            end, start = to_fhir(sent), start_of(node)
            if end is None or (start and ends_before(start, end)):
                return False
            write_end(node, end)
            return True

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            end = end_of(target)
            hidden = end is None and not same(start_of(target), start_of(base))
            if hidden or not same(end, end_of(base)):
                said = to_v2(end) or "" if end is not None else ""
                write_sub(comps, component, sub, scope.escape(said), scope.subcomponent)

        return Bound(put, leaves={component: Leaf(get)}, elements=frozenset({path + "end"}))
