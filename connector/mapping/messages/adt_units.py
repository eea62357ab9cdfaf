"""The units of segments that only some structures of ADT hold, and that other families share."""

from __future__ import annotations

from ..segments import contact, gt1, iam
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
