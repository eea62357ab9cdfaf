"""RXO <-> MedicationRequest, the order as it was placed (guide: RXO[MedicationRequest])."""

from __future__ import annotations

from ..assembly import canonical
from ..datatypes.amounts import Measured
from ..datatypes.primitives import integer
from ..datatypes.references import practitioner
from ..fields import One
from ..places import Json
from ..units import Around
from . import medication
from .dispensing import instructions, order_type, pharmacy
from .dosing import DOSAGE, Ordered, Strength, daily_dose, dosed_concepts
from .pv2 import Days
from .rows import concept, concepts, value

RXO_MEDICATIONREQUEST = (
    medication.coded("RXO-1"),
    Ordered("RXO", 2, 3, 4, 21, 22),
    instructions("RXO-6"),
    dosed_concepts("RXO-7", f"{DOSAGE}.additionalInstruction"),
    concept("RXO-9", "substitution.allowedCodeableConcept", "HL70161"),
    Measured("RXO", 11, 12, "dispenseRequest.quantity"),
    value("RXO-13", "dispenseRequest.numberOfRepeatsAllowed", integer),
    One("RXO-14", "", practitioner("requester"), secondary=True),
    concepts("RXO-20", "reasonCode"),
    daily_dose("RXO-23"),
    order_type("RXO-27"),
    One("RXO-28", "dispenseRequest.dispenseInterval", (Days(),)),
    *pharmacy("RXO", 32, 33, 36),
)

RXO_MEDICATION = medication.medication("RXO-1", concept("RXO-5", "form"), Strength("RXO", 18, 19, 25, 26))


def complete(node: Json, around: Around) -> None:
    """``medication`` is required."""
    medication.complete(node)


def identity(node: Json, around: Around) -> str:
    """The filler's number, else the placer's, else the message; and what is ordered."""
    whose = _number(node) or f"{around.parent('patient')}|{around.message_key}"
    return f"{whose}|{node.get('intent')}|{_what(node)}"


def given_identity(node: Json, around: Around) -> str:
    """The order's number, else the order, else the message; with what was given, and when."""
    number = _number(node) or around.parent("encoded") or around.parent("prescription")
    whose = number or f"{around.parent('patient')}|{around.message_key}"
    when = node.get("whenHandedOver") or canonical(
        node.get("effectiveDateTime") or node.get("effectivePeriod")
    )
    return f"{whose}|{_what(node)}|{when}"


def _number(node: Json) -> str:
    numbers = {_type(one): one for one in reversed(node.get("identifier", ()))}
    known = numbers.get("FILL") or numbers.get("PLAC") or {}
    return f"{known.get('system', '')}|{known['value']}" if known.get("value") else ""


def _type(identifier: Json) -> str:
    return str((identifier.get("type", {}).get("coding") or [{}])[0].get("code", ""))


def _what(node: Json) -> str:
    return str(node.get("medicationReference", {}).get("reference", "")) or canonical(
        node.get("medicationCodeableConcept")
    )
