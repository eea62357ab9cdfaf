"""VXU: vaccinations (HL7 v2.5.1 ch. 4.17; guide: message map VXU_V04)."""

from __future__ import annotations

from dataclasses import replace

from ..segments import orc_medication, rxa_immunization
from ..units import ResourceMap, Unit
from .adt_units import CONTACT
from .message_map import MessageMap
from .order_units import OBSERVATION
from .participation import OBSERVATION_PARTICIPATION, PATIENT_ROLES, VACCINATION_PARTICIPATION
from .units import (
    ALLERGY,
    DIAGNOSIS,
    EVENT,
    HEADER,
    INSURANCE,
    KIN,
    PATIENT,
    PROCEDURE,
    VISIT,
)

IMMUNIZATION = Unit(
    "immunization",
    "RXA",
    (
        ResourceMap(
            "Immunization",
            (
                *rxa_immunization.RXA_IMMUNIZATION,
                *rxa_immunization.RXR_IMMUNIZATION,
                *orc_medication.ORC_IMMUNIZATION,
            ),
            rxa_immunization.identity,
            links={"patient": ("patient", 0), "encounter": ("visit", 0)},
            complete=rxa_immunization.complete,
            needs=("patient",),
            unless=rxa_immunization.unless,
        ),
    ),
    leads=("ORC",),
    members=("RXR",),
    under=("header", "patient", "visit"),
    led=True,
)

_finding = OBSERVATION.maps[0]
assert isinstance(_finding, ResourceMap)  # noqa: S101 - OBX speaks of an Observation

FINDING = replace(
    OBSERVATION,
    maps=(
        replace(
            _finding,
            seed=rxa_immunization.finding_identity,
            links={**_finding.links, "partOf.0": ("immunization", 0)},
            collected=(),
        ),
    ),
    under=("header", "patient", "visit", "immunization"),
    inside=("immunization",),
)

MAPS = (
    MessageMap(
        "VXU",
        ("VXU_V04",),
        (
            HEADER,
            PATIENT,
            VISIT,
            EVENT,
            KIN,
            CONTACT,
            ALLERGY,
            DIAGNOSIS,
            PROCEDURE,
            INSURANCE,
            IMMUNIZATION,
            FINDING,
            *PATIENT_ROLES,
            *VACCINATION_PARTICIPATION,
            *OBSERVATION_PARTICIPATION,
        ),
        ("header", "patient", "kin", "contact", "visit", "insurance", "observation", "immunization"),
    ),
)
