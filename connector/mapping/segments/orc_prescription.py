"""ORC <-> MedicationRequest (guide: ORC[ServiceRequest], as far as a MedicationRequest says the same)."""

from __future__ import annotations

from dataclasses import dataclass

from ..datatypes.coded import OneCoding
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.references import practitioner
from ..fields import BoundAcross, Field, One
from ..partner import V2, Partner
from .dosing import Dosed
from .orc import ALTERNATE_NUMBER, ORC_NUMBERS, SECONDARY
from .ordering import OrderState
from .rows import Constant, coded_in, concept, concepts, type_of
from .tq1 import OldTiming


@dataclass(frozen=True, slots=True)
class PrescriptionState:
    """Order control, status and time, with the statuses of a prescription: one may be stopped."""

    def compile(self, partner: Partner) -> BoundAcross:
        state = OrderState().compile(partner)
        state.controls = partner.table("HL70119-prescription")
        state.statuses = partner.table("HL70038-prescription")
        return state


ORC_PRESCRIPTION = (
    *ORC_NUMBERS,
    One("ORC-4", "groupIdentifier", (*EI_IDENTIFIER, Constant(type_of("PGN")))),
    Field("ORC-38", "identifier", EI_IDENTIFIER, tag=type_of("FGN"), most=1),
    Field("ORC-33", "identifier", ALTERNATE_NUMBER, tag=SECONDARY, key=("system",)),
    PrescriptionState(),
    Dosed(OldTiming("ORC", 7)),
    One("ORC-10", "", practitioner("recorder"), shared=True),
    One("ORC-12", "", practitioner("requester"), secondary=True),
    concept("ORC-16", "statusReason"),
    Field("ORC-28", "meta.security", (OneCoding("HL70177"),), most=1),
    concepts("ORC-29", "category", "HL70482-prescription", prefers=coded_in(V2 + "0482")),
)
