"""The units that several message maps share.

The order of ``UNITS`` is the order in which units are spoken of: what others refer to comes first.
"""

from __future__ import annotations

from ..segments import (
    al1,
    dg1,
    evn,
    gt1,
    in1,
    in2,
    msa,
    msh,
    nk1,
    pd1,
    pid,
    pid_provenance,
    pr1,
    prt,
    pv1,
    pv2,
    sft,
)
from ..units import Attached, ResourceMap, Unit
from .adt_units import ACCIDENT, ADVERSE, CONTACT, DEATH, DISABILITY, GUARANTOR, GUARANTOR_ORGANIZATION
from .order_units import OBSERVATION as OBSERVATION
from .order_units import ORDER as ORDER
from .order_units import provenance
from .participation import OBSERVATION_PARTICIPATION, PATIENT_ROLES, REPORT_PARTICIPATION, TEAM

_PATIENT = {"subject": ("patient", 0)}
_VISIT = {"encounter": ("visit", 0)}


def _structural(segment: str, *numbers: int) -> frozenset[str]:
    return frozenset(f"{segment}-{n}" for n in numbers)


HEADER = Unit(
    "header",
    "MSH",
    (
        ResourceMap(
            "MessageHeader",
            (*msh.MSH_MESSAGEHEADER, *msa.MSA_MESSAGEHEADER),
            links={"response.details": ("", 2)},
            complete=msh.complete,
            always=True,
        ),
        ResourceMap("Bundle", msh.MSH_BUNDLE, always=True),
        ResourceMap(
            "OperationOutcome",
            msa.MSA_OUTCOME,
            complete=msa.complete,
            undone=msa.undone,
            needs=("issue",),
            via="response.details",
        ),
    ),
    members=("MSA",),
    many=("ERR",),
    structural=msh.MSH_STRUCTURAL,
    key=msh.message_key,
)

SOFTWARE = Unit(
    "software",
    "SFT",
    (
        ResourceMap(
            "Provenance",
            (),
            sft.identity,
            links={"target.0": ("header", 0), "entity.0.what": ("", 1)},
            complete=sft.complete,
            needs=("target",),
            says=sft.is_source,
        ),
        ResourceMap(
            "Device",
            sft.SFT_DEVICE,
            sft.device_identity,
            complete=sft.complete_device,
            via="entity.0.what",
        ),
    ),
    under=("header",),
)

EVENT = Unit(
    "event",
    "EVN",
    (
        ResourceMap(
            "Provenance",
            evn.EVN_PROVENANCE,
            links={"target.0": ("header", 0)},
            complete=evn.complete,
            needs=("target",),
            says=evn.is_event,
        ),
    ),
    structural=_structural("EVN", 1),
    under=("header",),
)

PATIENT = Unit(
    "patient",
    "PID",
    (
        ResourceMap("Patient", (*pid.PID_PATIENT, *pd1.PD1_PATIENT), pid.identity),
        ResourceMap(
            "Account",
            pid.PID_ACCOUNT,
            pid.identity,
            links={"subject.0": ("", 0)},
            default={"status": "active"},
            needs=("identifier",),
            via="<subject",
        ),
        ResourceMap(
            "RelatedPerson",
            pid.PID_MOTHER,
            pid.mother_identity,
            links={"patient": ("", 0)},
            default=pid.MOTHER,
            needs=("identifier",),
            via="<patient",
            says=pid.is_mother,
        ),
        ResourceMap(
            "Observation",
            pd1.PD1_LIVING_WILL,
            pd1.living_will_identity,
            links={"subject": ("", 0)},
            default=pd1.LIVING_WILL,
            needs=("valueCodeableConcept",),
            via="<subject",
            says=pd1.is_living_will,
        ),
        TEAM,
        provenance(
            pid_provenance.PID_PROVENANCE,
            pid_provenance.identity,
            pid_provenance.complete,
            says=pid_provenance.is_update,
        ),
    ),
    members=("PD1",),
    structural=_structural("PID", 1),
    under=("header",),
    once=True,
)

VISIT = Unit(
    "visit",
    "PV1",
    (
        ResourceMap(
            "Encounter",
            (*pv1.PV1_ENCOUNTER, *pv2.PV2_ENCOUNTER),
            pv1.identity,
            links=_PATIENT | {"episodeOfCare.0": ("", 1)},
            complete=pv1.complete,
            assumes=pv1.assumes,
            unless=pv1.unless,
            undone=pv1.undone,
        ),
        ResourceMap(
            "EpisodeOfCare",
            pv1.PV1_EPISODEOFCARE,
            pv1.episode_identity,
            links={"patient": ("patient", 0)},
            default=pv1.EPISODE,
            needs=("patient",),
            via="episodeOfCare.0",
        ),
        ResourceMap(
            "Coverage",
            pv1.PV1_COVERAGE,
            pv1.financial_class_identity,
            links={"beneficiary": ("patient", 0)},
            default=pv1.FINANCIAL_CLASS,
            needs=("beneficiary", "type"),
            via="<beneficiary",
            says=pv1.is_financial_class,
        ),
    ),
    members=("PV2",),
    structural=_structural("PV1", 1),
    under=("header", "patient"),
    once=True,
)

KIN = Unit(
    "kin",
    "NK1",
    (
        ResourceMap(
            "RelatedPerson",
            nk1.NK1_RELATEDPERSON,
            nk1.identity,
            links={"patient": ("patient", 0)},
            needs=("patient",),
            says=lambda node: not prt.only_takes_part(node) and not gt1.is_guarantor(node),
        ),
    ),
    structural=_structural("NK1", 1),
    under=("header", "patient"),
)

ALLERGY = Unit(
    "allergy",
    "AL1",
    (
        ResourceMap(
            "AllergyIntolerance",
            al1.AL1_ALLERGYINTOLERANCE,
            al1.identity,
            links={"patient": ("patient", 0)},
            default=al1.ACTIVE,
            needs=("patient",),
        ),
    ),
    structural=_structural("AL1", 1),
    under=("header", "patient"),
)

DIAGNOSIS = Unit(
    "diagnosis",
    "DG1",
    (
        ResourceMap(
            "Condition", dg1.DG1_CONDITION, dg1.identity, links=_PATIENT | _VISIT, needs=("subject",)
        ),
        Attached("visit", "diagnosis", "condition", dg1.DG1_DIAGNOSIS),
        Attached("visit", "diagnosis", "condition", dg1.DG1_EPISODE_DIAGNOSIS, slot=1),
    ),
    structural=_structural("DG1", 1),
    under=("header", "patient", "visit"),
)

PROCEDURE = Unit(
    "procedure",
    "PR1",
    (
        ResourceMap(
            "Procedure",
            pr1.PR1_PROCEDURE,
            pr1.identity,
            links=_PATIENT | _VISIT,
            default={"status": "unknown"},
            needs=("subject",),
        ),
    ),
    structural=_structural("PR1", 1),
    under=("header", "patient", "visit"),
)

INSURANCE = Unit(
    "insurance",
    "IN1",
    (
        ResourceMap(
            "Coverage",
            (*in1.IN1_COVERAGE, *in2.IN2_COVERAGE),
            in1.identity,
            links={
                "beneficiary": ("patient", 0),
                "payor.0": ("", 1),
                "subscriber": ("", 2),
                "policyHolder": ("", 3),
            },
            default={"status": "active"},
            complete=in1.complete,
            needs=("beneficiary",),
        ),
        ResourceMap(
            "Organization", in1.IN1_PAYOR, in1.organization_identity, via="payor.0", unless=in1.unnamed
        ),
        ResourceMap(
            "RelatedPerson",
            (*in1.IN1_SUBSCRIBER, *in2.IN2_SUBSCRIBER),
            in1.subscriber_identity,
            links={"patient": ("patient", 0)},
            complete=in1.subscriber,
            needs=("patient",),
            via="subscriber",
        ),
        ResourceMap(
            "Organization",
            (*in1.IN1_POLICYHOLDER, *in2.IN2_POLICYHOLDER),
            in1.organization_identity,
            via="policyHolder",
            unless=in1.unnamed,
        ),
    ),
    members=("IN2",),
    structural=_structural("IN1", 1),
    under=("header", "patient"),
)

UNITS = (
    HEADER,
    PATIENT,
    VISIT,
    EVENT,
    KIN,
    CONTACT,
    DISABILITY,
    ACCIDENT,
    DEATH,
    ADVERSE,
    ALLERGY,
    DIAGNOSIS,
    PROCEDURE,
    GUARANTOR,
    GUARANTOR_ORGANIZATION,
    INSURANCE,
    ORDER,
    OBSERVATION,
    *PATIENT_ROLES,
    *REPORT_PARTICIPATION,
    *OBSERVATION_PARTICIPATION,
)
