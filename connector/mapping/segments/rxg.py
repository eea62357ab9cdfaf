"""RXG <-> MedicationRequest, one dose that the pharmacy asks to give (HL7 v2.5.1 ch. 4.14.6).

The guide has no map. What is to be given is an instance of the order, and not yet given: ``instance-order``.
"""

from __future__ import annotations

from ..assembly import canonical
from ..datatypes.amounts import Measured
from ..datatypes.coded_organization import coded_organization
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XAD_ADDRESS
from ..datatypes.primitives import date_time
from ..fields import Field, One
from ..lens import Item
from ..places import Json
from ..units import Around
from . import medication
from .dispensing import notes, order_type
from .dosing import DOSAGE, Dosed, Ordered, Strength, dosed_concepts
from .further import Further
from .rows import concept, concepts, value
from .rxo import identity as order_identity
from .tq1 import OldTiming

_GIVE_NUMBER = {"type": {"text": "give sub-ID"}}
_PHARMACY = "dispenseRequest.performer"

RXG_MEDICATIONREQUEST = (
    Field("RXG-1", "identifier", (Item("1", "value"),), tag=_GIVE_NUMBER, most=1),
    Dosed(OldTiming("RXG", 3)),
    medication.coded("RXG-4"),
    Ordered("RXG", 5, 6, 7, 15, 16),
    notes("RXG-9"),
    concept("RXG-10", "substitution.allowedCodeableConcept", "HL70167"),
    dosed_concepts("RXG-13", f"{DOSAGE}.additionalInstruction"),
    concepts("RXG-22", "reasonCode"),
    order_type("RXG-26"),
    One("RXG-27", "", coded_organization(_PHARMACY), shared=True),
    Further("RXG", 28, _PHARMACY, "address", XAD_ADDRESS, use="7"),
    Field("RXG-31", "identifier", EI_IDENTIFIER, rest=True, key=("system",)),
    Measured("RXG", 32, 33, "dispenseRequest.quantity"),
)

RXG_MEDICATION = medication.medication(
    "RXG-4",
    concept("RXG-8", "form"),
    Strength("RXG", 17, 18, 23, 24),
    value("RXG-19", "batch.lotNumber"),
    value("RXG-20", "batch.expirationDate", date_time),
    One("RXG-21", "", coded_organization("manufacturer"), shared=True),
)


def is_given(resource: Json) -> bool:
    """Whether a request is for one occasion, and not the order itself."""
    return resource.get("intent") == "instance-order"


def identity(node: Json, around: Around) -> str:
    """The order, and which of its doses: by its numbers, and when."""
    order = around.parent("encoded") or around.parent("prescription")
    when = (node.get("dosageInstruction") or [{}])[0].get("timing")
    told = canonical([node.get("identifier"), when])
    return f"{order}|{order_identity(node, around)}|{told}"
