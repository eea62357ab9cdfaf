"""FT1 <-> ChargeItem (HL7 v2.5.1 ch. 6.5.1; the guide has no map)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...fhir.elements import shape
from ..datatypes.coded import Concept, OneCoding, meant
from ..datatypes.identifiers import CX_IDENTIFIER, EI_IDENTIFIER
from ..datatypes.primitives import date_time, decimal, ends_before
from ..datatypes.references import identified, practitioner
from ..fields import Field, One
from ..lens import At, Bound, Codec, Item, Nested, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from ..units import Around
from .rows import V2, Constant, concept, type_of, value

_MOMENT, _PERIOD = "occurrenceDateTime", "occurrencePeriod"


@dataclass(frozen=True, slots=True)
class MomentOrPeriod:
    """DR <-> ``occurrenceDateTime`` where only the start is sent, else ``occurrencePeriod``."""

    def compile(self, partner: Partner) -> Bound:
        codec = date_time(partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            sent = [scope.unescape(comp(comps, at)) for at in range(len(comps))]
            ends = [codec.to_fhir(text) if text else None for text in (*sent, "", "")[:2]]
            if ends[0] and ends[1] and ends_before(ends[0], ends[1]):
                ends[1] = None
            if ends[1]:
                node[_PERIOD] = {end: said for end, said in zip(("start", "end"), ends) if said}
            elif ends[0]:
                node[_MOMENT] = ends[0]
            return [str(n) for n, text in enumerate(sent, 1) if text and (n > 2 or not ends[n - 1])] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            for at, (now, before) in enumerate(zip(_ends(target), _ends(base))):
                if not same(now, before):
                    text = codec.to_v2(now) if isinstance(now, str) else ""
                    write_comp(comps, at, scope.escape(text or ""))

        return Bound(put, whole=get, reads=frozenset(range(4)), elements=frozenset({_MOMENT, _PERIOD}))


def _ends(node: Json) -> tuple[Any, Any]:
    period = node.get(_PERIOD)
    if isinstance(period, dict):
        return period.get("start"), period.get("end")
    return node.get(_MOMENT), None


def _currency(_: Partner) -> Codec:
    """A code of ISO 4217."""
    money = shape("Money")
    known = money.elements["currency"].codes if money else frozenset()

    def code(text: Any) -> str | None:
        return text if isinstance(text, str) and text in known else None

    return Codec(code, code)


MONEY: Final = (Nested("1", (Item("1", "value", decimal), Item("2", "currency", _currency))),)
_TYPED_ORDER: Final = (*EI_IDENTIFIER, Constant(type_of("FILL")))

FT1_CHARGEITEM = (
    Field("FT1-2", "identifier", CX_IDENTIFIER, rest=True, most=1),
    One("FT1-4", "", (MomentOrPeriod(),)),
    value("FT1-5", "enteredDate", date_time),
    Field("FT1-6", "meta.tag", (OneCoding(),), default={"system": V2 + "0017"}, rest=True, most=1),
    concept("FT1-7", "code"),
    One("FT1-8", "", (Item("1", "code.text", agrees=True),)),
    value("FT1-10", "quantity.value", decimal),
    One(
        "FT1-11",
        "priceOverride",
        MONEY,
    ),
    Field("FT1-19", "reason", (Concept(),)),
    Field("FT1-20", "performer", practitioner("actor")),
    Field("FT1-23", "supportingInformation", (At("identifier", _TYPED_ORDER),), most=1),
    One("FT1-24", "", practitioner("enterer")),
    concept("FT1-29", "productCodeableConcept"),
)


def identity(node: Json, around: Around) -> str:
    """The transaction's number, else whose, which and when, in this message."""
    if known := identified(node):
        return known
    when = node.get(_MOMENT) or node.get(_PERIOD, {}).get("start", "")
    return f"{around.parent('patient')}|{meant(node.get('code'))}|{when}|{around.message_key}"
