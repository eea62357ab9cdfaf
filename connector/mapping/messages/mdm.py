"""MDM: documents (HL7 v2.5.1 ch. 9; guide: message map MDM_T02)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..segments import documents, txa
from ..units import PartOf, ResourceMap, Unit
from .message_map import MessageMap
from .order_units import REQUEST
from .units import HEADER, PATIENT, UNITS, VISIT

_SUBJECT = {"subject": ("patient", 0), "context.encounter.0": ("visit", 0)}


def _document(rows: tuple[Any, ...]) -> Unit:
    return Unit(
        "document",
        "TXA",
        (
            ResourceMap(
                "DocumentReference",
                rows,
                txa.identity,
                links=_SUBJECT,
                complete=txa.complete,
                assumes=txa.assumes,
            ),
            ResourceMap(
                "Provenance",
                txa.TXA_PROVENANCE,
                txa.identity,
                links={"target.0": ("", 0)},
                complete=txa.complete_provenance,
                unless=txa.unless,
                via="<target",
            ),
        ),
        structural=frozenset({"TXA-1"}),
        under=("header", "patient", "visit"),
        once=True,
    )


def _asked(unit: Unit) -> Unit:
    """The order a document answers; where it says how far it is and when, there is a report of it too."""
    first, *others = unit.maps
    assert isinstance(first, ResourceMap)  # noqa: S101 - an order's first resource is what is asked for
    request = replace(first, collected=(("document", 0, "context.related"),))
    return replace(unit, maps=(request, *others), under=(*unit.under, "document"))


_ORDER = _asked(REQUEST)

CONTENT = Unit(
    "content",
    "OBX",
    (PartOf("document", "content", documents.OBX_CONTENT, only=documents.is_body, needs=("attachment",)),),
    structural=frozenset({"OBX-1"}),
    under=("header", "patient", "document"),
)

REMARK = Unit(
    "remark",
    "NTE",
    (PartOf("document", "content", documents.NTE_CONTENT, only=documents.is_remark, needs=("attachment",)),),
    structural=frozenset({"NTE-1"}),
    under=("header", "patient", "document"),
)

_OWN = ("header", "patient", "visit", "order", "observation")
_OTHERS = tuple(unit for unit in UNITS if unit.name not in _OWN)
_WRITTEN = ("header", "event", "patient", "visit", "order", "document", "content", "remark")


def _units(rows: tuple[Any, ...]) -> tuple[Unit, ...]:
    return (HEADER, PATIENT, VISIT, _document(rows), _ORDER, *_OTHERS, CONTENT, REMARK)


MAPS = (
    MessageMap("MDM_T01", ("MDM_T01",), _units(txa.TXA_ALONE), _WRITTEN),
    MessageMap("MDM_T02", ("MDM_T02",), _units(txa.TXA_DOCUMENTREFERENCE), _WRITTEN),
)
