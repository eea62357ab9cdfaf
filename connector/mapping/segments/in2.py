"""IN2 <-> what Coverage and its subscriber have of an insurance's further fields (HL7 v2.5.1 ch. 6.5.7)."""

from __future__ import annotations

from ..datatypes.coded import Concept
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import ORGANIZATION_CONTACTPOINT, XTN_CONTACTPOINT
from ..datatypes.primitives import End, date
from ..fields import Field, One
from ..lens import At, Item
from ..places import Json
from ..scope import Resources
from .pid import SSN
from .plan_numbers import PLAN_NUMBERS
from .rows import V2, coded_in, type_of, value


def _of_insured(node: Json, _: Resources) -> bool:
    """Whether a relationship is one of IN2-72, and not of IN1-17."""
    return coded_in(V2 + "0344")(node.get("relationship") or {})


IN2_COVERAGE = (
    Field("IN2-6", "identifier", (Item("1", "value"),), tag=type_of("MC"), most=1),
    Field("IN2-8", "identifier", (Item("1", "value"),), tag=type_of("MA"), most=1),
    One("IN2-72", "relationship", (Concept("HL70344"),), secondary=True, first=_of_insured, shared=True),
    Field("IN2-61", "identifier", CX_IDENTIFIER, default=type_of("MB"), most=1, never=PLAN_NUMBERS),
)

IN2_SUBSCRIBER = (
    Field("IN2-1", "identifier", CX_IDENTIFIER, default=type_of("EI"), rest=True, key=("system", "type")),
    Field("IN2-2", "identifier", (Item("1", "value"),), tag=SSN, most=1),
    Field("IN2-10", "identifier", (Item("1", "value"),), tag=type_of("MI"), most=1),
    value("IN2-55", "period.start", date),
    One("IN2-56", "", (End("1", date, "period"),)),
    Field("IN2-34", "communication", (At("language", (Concept("HL70296"),)),), most=1),
    Field("IN2-63", "telecom", XTN_CONTACTPOINT, default={"use": "home"}, rest=True, key=("system", "use")),
)

IN2_POLICYHOLDER = (
    Field(
        "IN2-64",
        "telecom",
        ORGANIZATION_CONTACTPOINT,
        default={"use": "work"},
        rest=True,
        key=("system", "use"),
    ),
)
