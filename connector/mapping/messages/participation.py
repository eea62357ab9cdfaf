"""PRT, ROL and IN3-21: who or what takes part in what stands before them (guide: the message maps).

The same segment says another thing behind a PID, a PV1, an OBR or an OBX; which unit it is follows from what
it stands behind, and from what it values. A person or an organization is a PractitionerRole, which also says
for whom, where and how to reach them. The part they take stands where FHIR has a place for it: in a
participant, a performer or a member of the care team, else in the role itself.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

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

Rows = tuple[Any, ...]
Says = Callable[[Json], bool]


def _identity(node: Json, around: Around) -> str:
    return role_identity(node)


def _person(*rows: Any) -> ResourceMap:
    """A PractitionerRole of PRT, or of ROL."""
    return ResourceMap("PractitionerRole", rows, _identity, unless=prt.nobody)


def _role(unit: str, path: str, link: str = "", *rows: Field | One, **more: Any) -> Bond:
    return Bond(unit, path, link, "PractitionerRole", rows, **more)


class _Words(NamedTuple):
    """The words in which a segment says who takes part: those of PRT, or of ROL, which PRT follows.

    ``rows``, ``code``, ``period``: of a role; ``relative``: of a relative, and which of them it can say;
    ``names``: the module that tells which part a segment names, which stands in the field ``at``.
    """

    segment: str
    names: ModuleType
    rows: Rows
    code: Rows
    period: Rows
    relative: tuple[Rows, Says]
    at: int
    says: Says = lambda role: True
    before: tuple[str, ...] = ()


def _of_patient(of: _Words) -> tuple[Unit, ...]:
    """Who takes part in the care of a patient, in a visit, in a procedure."""
    name, names, period = of.segment, of.names, of.period
    primary = {of.at: "PP^Primary Care Provider^HL70443"}
    team = _role("patient", "participant", "member", *names.parts("role"), *period, of="CareTeam")
    visit = _role("visit", "participant", "individual", *names.parts("type"), *period)
    performer = _role("procedure", "performer", "actor", *names.part("function"))
    return (
        Unit(
            f"primary care {name}",
            name,
            (_person(*of.rows, *of.code, *period), _role("patient", "generalPractitioner")),
            after=("patient",),
            when=names.is_practitioner,
            marks=primary,
            before=of.before,
            says=of.says,
        ),
        Unit(
            f"care team {name}",
            name,
            (_person(*of.rows), team),
            after=("patient",),
            when=names.is_care_team,
            before=of.before,
            says=of.says,
        ),
        _relative(of),
        Unit(
            f"participant {name}",
            name,
            (_person(*of.rows), visit),
            after=("visit",),
            when=names.is_party,
            says=of.says,
        ),
        Unit(
            f"performer {name}",
            name,
            (_person(*of.rows, *period), performer),
            after=("procedure",),
            when=names.is_party,
            says=of.says,
        ),
    )


def _relative(of: _Words) -> Unit:
    """A relative, to whom nobody refers; NK1 cannot say that they still are one (guide: PATIENT.PRT)."""
    rows, says = of.relative
    relative = ResourceMap(
        "RelatedPerson",
        rows,
        nk1.identity,
        links={"patient": ("patient", 0)},
        needs=("patient",),
        says=says,
        unless=prt.unnamed,
    )
    return Unit(
        f"relative {of.segment}",
        of.segment,
        (relative,),
        after=("patient",),
        when=of.names.is_relative,
        marks={of.at: "^^HL70063"},
        before=_NOTES,
    )


# HL7 v2.5.1 ch. 15.4.7
ROLES = _of_patient(
    _Words(
        "ROL",
        rol,
        rol.ROL_PRACTITIONERROLE,
        rol.ROL_CODE,
        rol.ROL_PERIOD,
        (rol.ROL_RELATEDPERSON, rol.can_say_relative),
        at=3,
        says=rol.can_say,
    )
)

# HL7 v2.8.2 ch. 7.3.4
_PRT = prt.PRT_PRACTITIONERROLE
_PERSON_WITH_CODE = _person(*_PRT, *prt.PRT_CODE, *prt.PRT_PERIOD)

_DEVICE = ResourceMap("Device", prt.PRT_DEVICE, prt.device_identity, unless=prt.unknown_device)

PATIENT_PARTICIPATION = (
    *_of_patient(
        _Words(
            "PRT",
            prt,
            _PRT,
            prt.PRT_CODE,
            prt.PRT_PERIOD,
            (prt.PRT_RELATEDPERSON, prt.only_takes_part),
            at=4,
            before=_NOTES,
        )
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
