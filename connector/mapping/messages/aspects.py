"""What the table of changes asks of a resource: its status, its kind, and the aspects that may change.

Whatever is malformed reads as absent: it is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from ...fhir.elements import shape
from ..places import Json

ENTERED_IN_ERROR: Final = "entered-in-error"
_CLINICAL: Final = ("active", "recurrence", "relapse", "inactive", "remission", "resolved", ENTERED_IN_ERROR)

Read = Callable[[Json], Any]


class Aspect(NamedTuple):
    """Something that may change by itself; ``new``: it may also be there from the start, and is told then."""

    read: Read
    new: bool = False


class Kind(NamedTuple):
    """A sort of a resource: those with one of ``codes`` at ``element``; without codes, those that have it."""

    element: str
    codes: frozenset[str] = frozenset()


def status_of(resource: Json) -> str:
    """``status``; else, of what has none, ``entered-in-error`` by its verification, else the clinical one."""
    if isinstance(status := resource.get("status"), str):
        return status
    if ENTERED_IN_ERROR in codes_of(resource.get("verificationStatus")):
        return ENTERED_IN_ERROR
    return next(iter(codes_of(resource.get("clinicalStatus"))), "")


@cache
def statuses_of(resource_type: str) -> frozenset[str]:
    """The statuses that a resource of this type may have."""
    found = shape(resource_type)
    elements = found.elements if found else {}
    if "clinicalStatus" in elements:
        return frozenset(_CLINICAL)
    return elements["status"].codes if "status" in elements else frozenset()


def is_kind(resource: Json, name: str) -> bool:
    """Whether a resource is of a kind that the table names."""
    kind = KINDS.get(str(resource.get("resourceType")), {}).get(name)
    if kind is None:
        return False
    value = resource.get(kind.element)
    return not kind.codes.isdisjoint(codes_of(value)) if kind.codes else bool(value)


def changed(name: str, now: Json, old: Json | None) -> bool:
    """Whether an aspect is another than before, or is there from the start where that is told."""
    aspect = ASPECTS.get(str(now.get("resourceType")), {}).get(name)
    if aspect is None or (old is None and not aspect.new):
        return False
    said = aspect.read(now)
    return bool(said != aspect.read(old or {})) and (bool(said) or not aspect.new)


def codes_of(value: Any) -> list[str]:
    """The codes of a code, a Coding, a CodeableConcept or a list of these."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [code for one in value for code in codes_of(one)]
    if not isinstance(value, dict):
        return []
    return [*codes_of(value.get("code")), *codes_of(value.get("coding"))]


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _reference(value: Any) -> str:
    said = value.get("reference") if isinstance(value, dict) else None
    return said if isinstance(said, str) else ""


def _places(visit: Json) -> list[str]:
    """Where a visit is at present: its active locations."""
    here = [stay for stay in _dicts(visit.get("location")) if stay.get("status", "active") == "active"]
    return sorted(_reference(stay.get("location")) for stay in here)


def _element(name: str) -> Read:
    return lambda resource: resource.get(name)


def _pointing(element: str, code_at: str, code: str, target: str) -> Read:
    """What a resource refers to in a list by elements of one code."""

    def read(resource: Json) -> list[str]:
        named = [one for one in _dicts(resource.get(element)) if one.get(code_at) == code]
        return sorted(_reference(one.get(target)) or str(one.get(target)) for one in named)

    return read


ASPECTS: Final[Mapping[str, Mapping[str, Aspect]]] = {
    "Patient": {
        "replaced-by": Aspect(_pointing("link", "type", "replaced-by", "other"), new=True),
        "see-also": Aspect(_pointing("link", "type", "seealso", "other"), new=True),
    },
    "Encounter": {
        "location": Aspect(_places),
        "class": Aspect(lambda visit: codes_of(visit.get("class"))),
    },
    "Appointment": {"start": Aspect(_element("start"))},
    "DocumentReference": {
        "doc-status": Aspect(_element("docStatus")),
        "replaces": Aspect(_pointing("relatesTo", "code", "replaces", "target"), new=True),
        "appends": Aspect(_pointing("relatesTo", "code", "appends", "target"), new=True),
    },
}
"""By resource type, what may change by itself."""

_VISIT: Final = {"visit": Kind("encounter")}
KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "Encounter": {
        "inpatient": Kind("class", frozenset({"IMP", "ACUTE", "NONAC", "OBSENC"})),
        "ambulatory": Kind("class", frozenset({"AMB", "VR", "HH", "FLD", "SS"})),
        "emergency": Kind("class", frozenset({"EMER"})),
        "preadmission": Kind("class", frozenset({"PRENC"})),
    },
    "ServiceRequest": {
        "laboratory": Kind("category", frozenset({"laboratory", "108252007", "LAB"})),
        "imaging": Kind("category", frozenset({"imaging", "363679005", "RAD"})),
        "referral": Kind("category", frozenset({"referral", "3457005", "306206005"})),
    },
    "Condition": {
        "problem": Kind("category", frozenset({"problem-list-item", "health-concern"})),
        **_VISIT,
    },
    "Procedure": _VISIT,
    "AllergyIntolerance": _VISIT,
}
"""By resource type, the kinds that the table tells apart: by the codes of one element, or its presence."""
