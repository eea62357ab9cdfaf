"""The units of segments that only some structures of ADT hold, and that other families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..fields import Across, Field, One
from ..places import Json
from ..segments import acc, contact, db1, gt1, iam, pda
from ..units import Attached, PartOf, ResourceMap, Unit

CONTACT = Unit(
    "contact",
    "NK1",
    (PartOf("patient", "contact", contact.NK1_CONTACT, complete=contact.complete, needs=("relationship",)),),
    structural=frozenset({"NK1-1"}),
    under=("header", "patient"),
    when=contact.is_contact,
)

ADVERSE = Unit(
    "adverse reaction",
    "IAM",
    (
        ResourceMap(
            "AllergyIntolerance",
            iam.IAM_ALLERGYINTOLERANCE,
            iam.identity,
            links={"patient": ("patient", 0)},
            complete=iam.complete,
            needs=("patient",),
            says=iam.says,
            told={"recorder": frozenset({"name", "relationship", "patient"})},
        ),
    ),
    structural=frozenset({"IAM-1"}),
    under=("header", "patient"),
)

GUARANTOR = Unit(
    "guarantor",
    "GT1",
    (
        ResourceMap(
            "RelatedPerson",
            gt1.GT1_RELATEDPERSON,
            gt1.identity,
            links={"patient": ("patient", 0)},
            complete=gt1.complete,
            needs=("patient", "relationship"),
            says=gt1.is_guarantor,
            undone=gt1.undone,
        ),
        Attached("patient", "guarantor", "party", gt1.GT1_GUARANTOR, slot=1),
    ),
    structural=frozenset({"GT1-1"}),
    under=("header", "patient"),
)

GUARANTOR_ORGANIZATION = Unit(
    "guarantor organization",
    "GT1",
    (
        ResourceMap(
            "Organization",
            gt1.GT1_ORGANIZATION,
            gt1.organization_identity,
            complete=gt1.complete_organization,
            needs=("type",),
            says=gt1.is_guarantor_organization,
        ),
        Attached("patient", "guarantor", "party", gt1.GT1_GUARANTOR, slot=1),
    ),
    structural=frozenset({"GT1-1"}),
    under=("header", "patient"),
    when=gt1.is_organization,
)

_SUBJECT = {"subject": ("patient", 0)}
_ABOUT = {**_SUBJECT, "encounter": ("visit", 0)}

ACCIDENT = Unit(
    "accident",
    "ACC",
    (
        ResourceMap(
            "Observation",
            acc.ACC_OBSERVATION,
            acc.identity,
            links={**_ABOUT, acc.WHERE: ("", 1)},
            default=acc.ACCIDENT,
            complete=acc.complete,
            needs=("subject",),
            says=acc.is_accident,
        ),
        ResourceMap("Location", acc.ACC_LOCATION, acc.place_identity, via=acc.WHERE),
    ),
    under=("header", "patient", "visit"),
)

DISABILITY = Unit(
    "disability",
    "DB1",
    (
        ResourceMap(
            "Observation",
            db1.DB1_OBSERVATION,
            db1.identity,
            links=_ABOUT,
            default=db1.DISABILITY,
            needs=("subject",),
            says=db1.is_disability,
        ),
    ),
    structural=frozenset({"DB1-1"}),
    under=("header", "patient", "visit"),
    when=db1.is_patients,
)


def _of_death(
    kind: str,
    rows: tuple[Field | One | Across, ...],
    code: Mapping[str, object],
    says: Callable[[Json], bool],
) -> ResourceMap:
    """One of the things that PDA says, each by itself."""
    status = "unknown" if kind == "Procedure" else "final"
    return ResourceMap(
        kind,
        rows,
        pda.identity,
        links=_ABOUT,
        default={"status": status, **code},
        needs=("subject",),
        via="<subject",
        says=says,
        opens=True,
    )


DEATH = Unit(
    "death",
    "PDA",
    (
        replace(_of_death("Observation", pda.PDA_CAUSE, pda.CAUSE, pda.is_cause), via=""),
        _of_death("Procedure", pda.PDA_CERTIFICATION, pda.CERTIFICATION, pda.is_certification),
        _of_death("Procedure", pda.PDA_AUTOPSY, pda.AUTOPSY, pda.is_autopsy),
        _of_death("Observation", pda.PDA_CORONER, pda.CORONER, pda.is_coroner),
    ),
    under=("header", "patient", "visit"),
    once=True,
)
