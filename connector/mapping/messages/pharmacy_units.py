"""The units of pharmacy messages: what is ordered, encoded, dispensed and administered.

An order and what the pharmacy made of it are two MedicationRequests, the second based on the first; ORC
speaks of whatever comes first behind it.
"""

from __future__ import annotations

from dataclasses import replace

from ..places import Json
from ..segments import nte, orc_medication, orc_prescription, rxa_administration, rxd, rxe, rxg, rxo, rxr
from ..segments.dosing import DOSAGE
from ..segments.phases import PHASES, TQ1_PRESCRIPTION
from ..units import Around, Collected, ResourceMap, Unit
from .order_units import observation

_SUBJECT = {"subject": ("patient", 0), "encounter": ("visit", 0)}
_AROUND = ("header", "patient", "visit")


def _numbered(*segments: str) -> frozenset[str]:
    return frozenset(f"{segment}-1" for segment in segments)


_COMMON = (*TQ1_PRESCRIPTION, PHASES, *rxr.routed(DOSAGE), nte.notes())

PRESCRIPTION = Unit(
    "prescription",
    "RXO",
    (
        ResourceMap(
            "MedicationRequest",
            (*orc_prescription.ORC_PRESCRIPTION, *rxo.RXO_MEDICATIONREQUEST, *_COMMON),
            rxo.identity,
            links=_SUBJECT | {"medicationReference": ("", 1)},
            default={"status": "unknown", "intent": "original-order"},
            complete=rxo.complete,
            needs=("subject",),
        ),
        rxo.RXO_MEDICATION,
    ),
    leads=("ORC", "TQ1"),
    members=("NTE", "RXR"),
    many=("NTE", "TQ1", "RXC"),
    structural=_numbered("TQ1", "NTE"),
    under=_AROUND,
    led=True,
)


def _is_original(resource: Json) -> bool:
    return resource.get("intent") == "original-order"


_placed = PRESCRIPTION.maps[0]
assert isinstance(_placed, ResourceMap)  # noqa: S101 - RXO speaks of a MedicationRequest

ORIGINAL = replace(PRESCRIPTION, maps=(replace(_placed, says=_is_original), *PRESCRIPTION.maps[1:]))
"""The order as it was placed, where what the pharmacy makes of it stands beside."""

ENCODED = Unit(
    "encoded",
    "RXE",
    (
        ResourceMap(
            "MedicationRequest",
            (*rxe.RXE_MEDICATIONREQUEST, *orc_prescription.ORC_PRESCRIPTION, *_COMMON),
            rxo.identity,
            links=_SUBJECT | {"medicationReference": ("", 1), "basedOn.0": ("prescription", 0)},
            default={"status": "unknown", "intent": "filler-order"},
            complete=rxo.complete,
            needs=("subject",),
            says=lambda resource: not _is_original(resource),
        ),
        rxe.RXE_MEDICATION,
    ),
    leads=("ORC",),
    members=("NTE", "TQ1", "RXR"),
    many=("NTE", "TQ1", "RXC"),
    structural=_numbered("TQ1", "NTE"),
    under=(*_AROUND, "prescription"),
    inside=("prescription",),
    led=True,
)

_made = ENCODED.maps[0]
assert isinstance(_made, ResourceMap)  # noqa: S101 - RXE speaks of a MedicationRequest


def _is_encoded(resource: Json) -> bool:
    return not _is_original(resource) and not rxg.is_given(resource)


ENCODED_BESIDE = replace(ENCODED, maps=(replace(_made, says=_is_encoded), *ENCODED.maps[1:]))
"""What the pharmacy made of an order, where the doses to give stand beside it."""

_GIVEN = ("prescription", "encoded")
_CONTEXT = {"subject": ("patient", 0), "context": ("visit", 0), "medicationReference": ("", 1)}

DISPENSED = Unit(
    "dispensed",
    "RXD",
    (
        ResourceMap(
            "MedicationDispense",
            (
                *rxd.RXD_MEDICATIONDISPENSE,
                *orc_medication.ORC_GIVEN,
                *rxr.routed(DOSAGE),
                nte.notes(),
            ),
            rxo.given_identity,
            links={
                **_CONTEXT,
                "authorizingPrescription.0": ("encoded", 0),
                "authorizingPrescription.0?": ("prescription", 0),
            },
            default={"status": "completed"},
            complete=rxd.complete,
            needs=("subject",),
        ),
        rxd.RXD_MEDICATION,
    ),
    leads=("ORC",),
    members=("NTE", "RXR"),
    many=("NTE", "RXC"),
    structural=_numbered("NTE"),
    under=(*_AROUND, *_GIVEN),
    inside=tuple(reversed(_GIVEN)),
    led=True,
)

GIVEN = Unit(
    "given",
    "RXG",
    (
        ResourceMap(
            "MedicationRequest",
            (*rxg.RXG_MEDICATIONREQUEST, *orc_prescription.ORC_PRESCRIPTION, *_COMMON),
            rxg.identity,
            links={
                **_SUBJECT,
                "medicationReference": ("", 1),
                "basedOn.0": ("encoded", 0),
                "basedOn.0?": ("prescription", 0),
            },
            default={"status": "unknown", "intent": "instance-order"},
            complete=rxo.complete,
            needs=("subject",),
            says=rxg.is_given,
        ),
        rxg.RXG_MEDICATION,
    ),
    leads=("ORC",),
    members=("TQ1", "RXR"),
    many=("NTE", "TQ1", "RXC"),
    structural=_numbered("TQ1", "NTE"),
    under=(*_AROUND, *_GIVEN),
    inside=tuple(reversed(_GIVEN)),
    led=True,
)
"""A dose to give, of an order that stands before it, or of one that only ORC speaks of."""

ADMINISTERED = Unit(
    "administered",
    "RXA",
    (
        ResourceMap(
            "MedicationAdministration",
            (
                *rxa_administration.RXA_MEDICATIONADMINISTRATION,
                *orc_medication.ORC_GIVEN,
                *rxr.route("dosage"),
                nte.notes(),
            ),
            rxo.given_identity,
            links={**_CONTEXT, "request": ("encoded", 0), "request?": ("prescription", 0)},
            complete=rxa_administration.complete,
            needs=("subject",),
        ),
        rxa_administration.RXA_MEDICATION,
    ),
    leads=("ORC",),
    members=("RXR",),
    many=("NTE",),
    structural=_numbered("NTE"),
    under=(*_AROUND, *_GIVEN),
    inside=tuple(reversed(_GIVEN)),
    led=True,
)


def findings(*around: str) -> Unit:
    """Observations that support what stands around them, by the innermost of these."""
    collected = tuple((unit, 0, "supportingInformation") for unit in around)

    def innermost(node: Json, place: Around) -> Collected:
        return next(((one,) for one in collected if place.parent(one[0])), ())

    return observation(collected=collected, collects=innermost, inside=around)
