"""RXR <-> the route, site and method of a Dosage (guide: RXR[MedicationRequest])."""

from __future__ import annotations

from ..fields import Field, One
from .dosing import dosed_concept, dosed_concepts


def route(path: str) -> tuple[One | Field, ...]:
    """How it gets into the body; where several ways are possible, the first of them."""
    return (
        dosed_concept("RXR-1", f"{path}.route", "HL70162"),
        dosed_concept("RXR-2", f"{path}.site", "HL70550"),
        dosed_concept("RXR-4", f"{path}.method", "HL70165"),
    )


def routed(path: str) -> tuple[One | Field, ...]:
    """The same of a dosage instruction, with what is said about the way."""
    return (*route(path), dosed_concepts("RXR-5", f"{path}.additionalInstruction"))
