"""IN2 <-> what Coverage and its subscriber have of an insurance's further fields (HL7 v2.5.1 ch. 6.5.7)."""

from __future__ import annotations

from ..datatypes.coded import Concept
from ..datatypes.identifiers import CX_IDENTIFIER
from ..datatypes.people import ORGANIZATION_CONTACTPOINT, XTN_CONTACTPOINT
from ..fields import Field
from ..lens import At, Item
from .pid import SSN
from .rows import type_of

IN2_COVERAGE = (
    Field("IN2-6", "identifier", (Item("1", "value"),), tag=type_of("MC"), most=1),
    Field("IN2-8", "identifier", (Item("1", "value"),), tag=type_of("MA"), most=1),
    Field("IN2-61", "identifier", CX_IDENTIFIER, default=type_of("MB"), most=1),
)

IN2_SUBSCRIBER = (
    Field("IN2-1", "identifier", CX_IDENTIFIER, default=type_of("EI"), rest=True, key=("system", "type")),
    Field("IN2-2", "identifier", (Item("1", "value"),), tag=SSN, most=1),
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
