"""Orders, what is observed and from which specimen (guide: ORU_R01, OML_O21, ORM_O01).

In a result, ORC and OBR speak of a report and of the request that it answers; in an order of the request, and
of a report only where there is one already. A specimen stands in an order, or orders stand behind a specimen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..datatypes.roles import role_identity, takes_part
from ..fields import Field, One
from ..places import Json
from ..segments import nte, obr, obx, orc, orc_provenance, spm, tq1
from ..segments.rows import UNKNOWN
from ..units import Around, Collected, Complete, ResourceMap, Seed, Unit

Says = Callable[[Json], bool]

_PATIENT = {"subject": ("patient", 0)}
_VISIT = {"encounter": ("visit", 0)}
_REPORT = (*obr.OBR_DIAGNOSTICREPORT, *orc.ORC_NUMBERS, orc.ORC_SECURITY)
_TIMED = (*tq1.TQ1_SERVICEREQUEST, nte.notes())
_NUMBERED = frozenset({"OBR-1", "NTE-1", "TQ1-1"})
_AROUND = ("header", "patient", "visit")
_UNKNOWN_REPORT = {"status": "unknown", "code": UNKNOWN}


def provenance(
    rows: tuple[Field | One, ...], identity: Seed, complete: Complete, says: Says | None = None
) -> ResourceMap:
    """Who entered or changed what the first resource of a unit tells (guide: ORC[Provenance])."""
    return ResourceMap(
        "Provenance",
        rows,
        identity,
        links={"target.0": ("", 0)},
        complete=complete,
        needs=("agent", "target"),
        via="<target",
        says=says,
    )


def _requester(way: str) -> ResourceMap:
    """Who asks, where a facility is named too."""
    return ResourceMap(
        "PractitionerRole",
        (*obr.OBR_REQUESTER, *orc.ORC_REQUESTER),
        lambda node, around: role_identity(node),
        needs=("organization",),
        via=way,
        says=lambda role: not takes_part(role),
    )


def _specimen(request: int) -> ResourceMap:
    """What OBR says of a specimen; ``request``: the slot of what asks for it."""
    return ResourceMap(
        "Specimen",
        spm.OBR_SPECIMEN,
        spm.order_identity,
        links={**_PATIENT, "request.0": ("", request)},
        collected=(("", 0, "specimen"),),
        unless=spm.nothing_but_time,
        needs=("request",),
        via="specimen.0",
        says=spm.of_order,
    )


def _copies(request: int) -> ResourceMap:
    """To whom copies of the results go; ``request``: the slot of what asks for it (guide: OBR-28)."""
    return ResourceMap(
        "CommunicationRequest",
        (obr.COPIES,),
        lambda node, around: f"copies|{node['basedOn'][0]['reference']}",
        links={**_PATIENT, "basedOn.0": ("", request), "about.0": ("", 0)},
        default={"status": "unknown", "category": obr.OF_COPIES},
        needs=("recipient", "basedOn"),
        via="<about",
        says=obr.asks_for_copies,
    )


_ANSWERED = ResourceMap(
    "ServiceRequest",
    (*obr.OBR_SERVICEREQUEST, *orc.ORC_SERVICEREQUEST, *_TIMED),
    obr.identity,
    links={**_PATIENT, **_VISIT, "requester": ("", 2)},
    default={"status": "unknown", "intent": "order"},
    complete=obr.complete_order,
    needs=("subject",),
    always=True,
    via="basedOn.0",
)

ORDER = Unit(
    "order",
    "OBR",
    (
        ResourceMap(
            "DiagnosticReport",
            _REPORT,
            obr.identity,
            links={**_PATIENT, **_VISIT, "basedOn.0": ("", 1)},
            default=_UNKNOWN_REPORT,
            complete=obr.in_order,
        ),
        _ANSWERED,
        _requester("basedOn.0/requester"),
        _specimen(1),
        _copies(1),
    ),
    leads=("ORC",),
    members=("TQ1",),
    many=("NTE",),
    structural=_NUMBERED,
    under=_AROUND,
)
"""An order of a result: the report and the request it answers."""

REQUEST = Unit(
    "order",
    "OBR",
    (
        ResourceMap(
            "ServiceRequest",
            (*orc.ORC_NUMBERS, *obr.OBR_ORDER, *orc.ORC_ORDER, *_TIMED),
            obr.identity,
            links={**_PATIENT, **_VISIT, "requester": ("", 2)},
            default={"status": "unknown", "intent": "order"},
            complete=obr.complete_request,
            needs=("subject",),
            always=True,
        ),
        ResourceMap(
            "DiagnosticReport",
            _REPORT,
            obr.identity,
            links={**_PATIENT, **_VISIT, "basedOn.0": ("", 0)},
            default=_UNKNOWN_REPORT,
            complete=obr.previous,
            unless=obr.no_report,
            via="<basedOn",
        ),
        _requester("requester"),
        provenance(orc_provenance.ORC_PROVENANCE, orc_provenance.identity, orc_provenance.complete),
        _specimen(0),
        _copies(0),
    ),
    leads=("ORC", "TQ1"),
    members=("TQ1",),
    many=("NTE",),
    structural=_NUMBERED,
    under=_AROUND,
)
"""An order: the request, and its report where previous results come with it."""


# --- what is observed -----------------------------------------------------------------------------


def observation(
    complete: Complete = obx.complete,
    collected: Collected = (("order", 0, "result"),),
    collects: Callable[[Json, Around], Collected] | None = None,
    specimen: str = "",
    inside: tuple[str, ...] = ("order",),
) -> Unit:
    """OBX, with what it belongs to; ``specimen``: how it refers to the specimen around it."""
    links = {**_PATIENT, **_VISIT, **({specimen: ("specimen", 0)} if specimen else {})}
    around = (*_AROUND, *(name for name in reversed(inside)))
    return Unit(
        "observation",
        "OBX",
        (
            ResourceMap(
                "Observation",
                (*obx.OBX_OBSERVATION, nte.notes()),
                obx.identity,
                links=links,
                default={"status": "unknown", "code": UNKNOWN},
                complete=complete,
                collected=collected,
                collects=collects,
            ),
        ),
        many=("NTE",),
        structural=frozenset({"OBX-1", "NTE-1"}),
        under=around,
        inside=inside,
    )


OBSERVATION = observation()


def _of_order(slot: int) -> Complete:
    """The specimen that OBR speaks of is that of all its observations (guide: ORU_R01.OBR)."""

    def complete(node: Json, around: Around) -> None:
        obx.complete(node, around)
        if (specimen := around.parent("order", slot)) and "specimen" not in node and "focus" not in node:
            node["specimen"] = {"reference": specimen}

    return complete


def _of_specimen(node: Json, around: Around) -> None:
    """What stands behind an order is observed in the specimen; what stands before, about it."""
    obx.complete(node, around)
    specimen = around.parent("specimen")
    if specimen and around.parent("order"):
        node.pop("focus", None)
        node.setdefault("specimen", {"reference": specimen})


_ABOUT = "focus.0"
_QUESTIONS = ("QST", "SCI")
_RESULT = ("order", 0, "result")
_ASKED = ("order", 1, "supportingInfo")


def _result(node: Json, around: Around) -> Collected:
    """A result of the report; an answer to a question of the order (OBX-29) is what the order says."""
    return (_ASKED,) if around.value("OBX-29") in _QUESTIONS else (_RESULT,)


def _beside(node: Json, around: Around) -> Collected:
    """As ``_result``, but what is observed about a specimen is no result."""
    return () if "focus" in node else _result(node, around)


RESULT = observation(_of_order(3), (_RESULT, _ASKED), _beside, _ABOUT, ("specimen", "order"))
RESULT_OF_SPECIMEN = observation(_of_specimen, (_RESULT, _ASKED), _beside, _ABOUT, ("order", "specimen"))
RESULT_IN_ORDER = observation(obx.complete, (_RESULT, _ASKED), _result, "specimen", ("specimen", "order"))

_SAID_WITH = ("order", 0, "supportingInfo")
_PREVIOUS = ("order", 1, "result")


def _along(complete: Complete) -> Complete:
    """What stands in an order of no visit is of none itself."""

    def without(node: Json, around: Around) -> None:
        complete(node, around)
        order = around.resource("order")
        if order is not None and "encounter" not in order:
            node.pop("encounter", None)

    return without


def _with_order(node: Json, around: Around) -> Collected:
    """What is sent along with an order; under a report of previous results, a result of it."""
    if "focus" in node:
        return ()
    return (_PREVIOUS,) if around.parent("order", 1) else (_SAID_WITH,)


ALONG = observation(_along(_of_order(4)), (_SAID_WITH, _PREVIOUS), _with_order, _ABOUT, ("specimen", "order"))


def along_any(prescription: str) -> Unit:
    """As ``ALONG``; what is ordered may be medication, which a unit of its own speaks of."""
    support = (prescription, 0, "supportingInformation")

    def collects(node: Json, around: Around) -> Collected:
        return (support,) if around.parent(prescription) else _with_order(node, around)

    inside = ("specimen", "order", prescription)
    return observation(_along(_of_order(4)), (_SAID_WITH, _PREVIOUS, support), collects, _ABOUT, inside)


ALONG_SPECIMEN = observation(
    _along(_of_specimen), (_SAID_WITH, _PREVIOUS), _with_order, _ABOUT, ("order", "specimen")
)


# --- specimens ------------------------------------------------------------------------------------

_OUTER = ResourceMap("Specimen", spm.SPM_SPECIMEN, spm.identity, links=_PATIENT)
_INNER = replace(
    _OUTER, collected=(("order", 0, "specimen"),), says=lambda specimen: not spm.of_order(specimen)
)

SPECIMEN = Unit(
    "specimen",
    "SPM",
    (_INNER,),
    members=("SAC",),
    many=("SAC",),
    structural=frozenset({"SPM-1"}),
    under=(*_AROUND, "order"),
    inside=("order",),
)
"""A specimen of the order it stands behind."""

OUTER_SPECIMEN = replace(SPECIMEN, maps=(_OUTER,), under=_AROUND, inside=())
"""A specimen whose orders stand behind it."""


def _behind_specimen(unit: Unit) -> Unit:
    """An order that stands behind its specimen, which is the one its first resource refers to."""
    first, *others = (each for each in unit.maps if isinstance(each, ResourceMap))
    whole = replace(first, links={**first.links, "specimen.0": ("specimen", 0)})
    maps = (whole, *(each for each in others if each.kind != "Specimen"))
    return replace(unit, maps=maps, under=(*_AROUND, "specimen"), inside=("specimen",))


ORDER_OF_SPECIMEN = replace(_behind_specimen(ORDER), members=("ORC", "TQ1"))
ORDER_BEFORE_CONTROL = replace(ORDER, members=("ORC", "TQ1"))
"""In an OUL, ORC stands behind OBR (HL7 v2.5.1 ch. 7.3.7)."""

REQUEST_OF_SPECIMEN = _behind_specimen(REQUEST)
