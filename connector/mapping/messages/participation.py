"""PRT, ROL and IN3-21: who or what takes part in what stands before them (guide: the message maps).

The same segment says another thing behind a PID, a PV1, an OBR or an OBX; which unit it is follows from what
it stands behind, and from what it values. A person or an organization is a PractitionerRole, which also says
for whom, where and how to reach them. The part they take stands where FHIR has a place for it: in a
participant, a performer or a member of the care team, else in the role itself.
"""

from __future__ import annotations

from typing import Any

from ..datatypes.roles import is_director, role_identity, takes_part
from ..fields import Field, One
from ..places import Json
from ..segments import in3, nk1, prt, rol
from ..segments.devices import is_bare_device
from ..units import Around, Bond, ResourceMap, Unit

TEAM = ResourceMap(
    "CareTeam",
    (),
    lambda node, around: f"care team|{around.parent('patient')}",
    links={"subject": ("", 0)},
    needs=("participant",),
    via="<subject",
)
"""The patient's care team: what its members say by PRT, ROL and IN3 makes it."""
_NOTES = ("NTE",)
_PRIMARY = {4: "PP^Primary Care Provider^HL70443"}


def _identity(node: Json, around: Around) -> str:
    return role_identity(node)


def _person(*rows: Any) -> ResourceMap:
    """A PractitionerRole of PRT, or of ROL."""
    return ResourceMap("PractitionerRole", rows, _identity, unless=prt.nobody)


def _role(unit: str, path: str, link: str = "", *rows: Field | One, **more: Any) -> Bond:
    return Bond(unit, path, link, "PractitionerRole", rows, **more)


def _relative(opener: str, rows: tuple[Any, ...], when: Any) -> Unit:
    """A relative, to whom nobody refers; NK1 cannot say that they still are one (guide: PATIENT.PRT)."""
    relative = ResourceMap(
        "RelatedPerson",
        rows,
        nk1.identity,
        links={"patient": ("patient", 0)},
        needs=("patient",),
        says=rol.can_say_relative if opener == "ROL" else prt.only_takes_part,
        unless=prt.unnamed,
    )
    return Unit(
        f"relative {opener}",
        opener,
        (relative,),
        after=("patient",),
        when=when,
        marks={4 if opener == "PRT" else 3: "^^HL70063"},
        before=_NOTES,
    )


# --- ROL (HL7 v2.5.1 ch. 15.4.7)

_ROL = (*rol.ROL_PRACTITIONERROLE,)

ROLES = (
    Unit(
        "primary care ROL",
        "ROL",
        (_person(*_ROL, *rol.ROL_CODE, *rol.ROL_PERIOD), _role("patient", "generalPractitioner")),
        after=("patient",),
        when=rol.is_practitioner,
        marks={3: "PP^Primary Care Provider^HL70443"},
        says=rol.can_say,
    ),
    Unit(
        "care team ROL",
        "ROL",
        (
            _person(*_ROL),
            _role("patient", "participant", "member", *rol.parts("role"), *rol.ROL_PERIOD, of="CareTeam"),
        ),
        after=("patient",),
        when=rol.is_care_team,
        says=rol.can_say,
    ),
    _relative("ROL", rol.ROL_RELATEDPERSON, rol.is_relative),
    Unit(
        "participant ROL",
        "ROL",
        (
            _person(*_ROL),
            _role("visit", "participant", "individual", *rol.parts("type"), *rol.ROL_PERIOD),
        ),
        after=("visit",),
        when=rol.is_party,
        says=rol.can_say,
    ),
    Unit(
        "performer ROL",
        "ROL",
        (
            _person(*_ROL, *rol.ROL_PERIOD),
            _role("procedure", "performer", "actor", *rol.part("function")),
        ),
        after=("procedure",),
        when=rol.is_party,
        says=rol.can_say,
    ),
)

# --- PRT (HL7 v2.8.2 ch. 7.3.4)

_PRT = (*prt.PRT_PRACTITIONERROLE,)
_PERSON_WITH_CODE = _person(*_PRT, *prt.PRT_CODE, *prt.PRT_PERIOD)

_DEVICE = ResourceMap("Device", prt.PRT_DEVICE, prt.device_identity, unless=prt.unknown_device)

PATIENT_PARTICIPATION = (
    Unit(
        "primary care PRT",
        "PRT",
        (_PERSON_WITH_CODE, _role("patient", "generalPractitioner")),
        after=("patient",),
        when=prt.is_practitioner,
        marks=_PRIMARY,
        before=_NOTES,
    ),
    Unit(
        "care team PRT",
        "PRT",
        (
            _person(*_PRT),
            _role("patient", "participant", "member", *prt.parts("role"), *prt.PRT_PERIOD, of="CareTeam"),
        ),
        after=("patient",),
        when=prt.is_care_team,
        before=_NOTES,
    ),
    _relative("PRT", prt.PRT_RELATEDPERSON, prt.is_relative),
    Unit(
        "participant PRT",
        "PRT",
        (
            _person(*_PRT),
            _role("visit", "participant", "individual", *prt.parts("type"), *prt.PRT_PERIOD),
        ),
        after=("visit",),
        when=prt.is_party,
    ),
    Unit(
        "performer PRT",
        "PRT",
        (
            _person(*_PRT, *prt.PRT_PERIOD),
            _role("procedure", "performer", "actor", *prt.part("function")),
        ),
        after=("procedure",),
        when=prt.is_party,
    ),
    Unit(
        "procedure device",
        "PRT",
        (
            _DEVICE,
            Bond("procedure", "usedReference", "", "Device"),
        ),
        after=("procedure",),
        when=prt.is_device,
        marks={4: "EQUIP^^HL70912"},
    ),
)

OBSERVATION_PARTICIPATION = (
    Unit(
        "observation device",
        "PRT",
        (
            _DEVICE,
            Bond("observation", "device", "", "Device", alone=True, unless=is_bare_device),
        ),
        after=("observation",),
        when=prt.is_device,
        marks={4: "EQUIP^^HL70912"},
        before=_NOTES,
    ),
    Unit(
        "observation performer",
        "PRT",
        (_PERSON_WITH_CODE, _role("observation", "performer", unless=is_director)),
        after=("observation",),
        when=prt.is_party,
        before=_NOTES,
    ),
    Unit(
        "observation place",
        "PRT",
        (
            Bond(
                "observation",
                "extension",
                "valueReference",
                "Location",
                prt.PRT_PLACE,
                tag={"url": prt.EVENT_LOCATION},
            ),
        ),
        after=("observation",),
        when=prt.is_place,
        marks={4: "OS^^HL70912"},
        before=_NOTES,
    ),
)


def _part(
    name: str, of: str, path: str, codes: tuple[str, ...], *, unit: str = "order", alone: bool = False
) -> Unit:
    """A part in a request, or in a report of it: PRT behind ORC or OBR."""
    return Unit(
        name,
        "PRT",
        (
            _PERSON_WITH_CODE,
            _role(unit, path, of=of, alone=alone, unless=lambda role: not takes_part(role, *codes)),
        ),
        after=(unit,),
        when=prt.is_one_of(*codes),
        marks={4: f"{codes[0]}^^HL70912"},
        before=("RXO", "RXE", "RXR", "RXC"),
    )


def requester(of: str, unit: str = "order") -> Unit:
    """Who ordered (guide: message maps OML_O21 and ORU_R01, ORDER.PRT)."""
    return _part(f"requester of {unit}", of, "requester", prt.REQUESTER, unit=unit, alone=True)


REPORT_PARTICIPATION = (
    requester("ServiceRequest"),
    _part("interpreter", "DiagnosticReport", "resultsInterpreter", prt.INTERPRETERS),
    _part("reporter", "DiagnosticReport", "performer", prt.PERFORMERS),
    _part("collector", "Specimen", "collection.collector", ("SC",), alone=True),
    _part("copies", "CommunicationRequest", "recipient", prt.COPIES),
)
"""For maps whose order has a ServiceRequest and a DiagnosticReport."""

VACCINATION_PARTICIPATION = (
    Unit(
        "vaccination performer",
        "PRT",
        (
            _person(*_PRT, *prt.PRT_PERIOD),
            _role("immunization", "performer", "actor", *prt.part("function")),
        ),
        after=("immunization",),
        when=prt.is_party,
        before=("RXA", "RXR"),
    ),
)
"""Guide: message map VXU_V04, ORDER.PRT."""

CASE_MANAGER = Unit(
    "case manager",
    "IN3",
    (
        ResourceMap("Practitioner", in3.IN3_CASE_MANAGER, in3.identity),
        Bond("patient", "participant", "member", "Practitioner", of="CareTeam", tag=in3.CASE_MANAGER),
    ),
    structural=frozenset({"IN3-1"}),
    after=("insurance",),
    when=in3.is_managed,
)

PATIENT_ROLES = (*PATIENT_PARTICIPATION, *ROLES, CASE_MANAGER)
"""For every map with the shared units of patient, visit, procedure and insurance."""
