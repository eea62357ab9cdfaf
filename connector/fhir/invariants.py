"""The invariants of FHIR R4 on one object, by the keys of the specification.

Each says whether an object of a type keeps the rule. Objects that are wrong in another way (a text where an
object belongs) keep it: the tables report that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/"
_UCUM: Final = "http://unitsofmeasure.org"


class Invariant(NamedTuple):
    """``at``: the element a breach is told at, the object itself where it is empty."""

    key: str
    holds: Callable[[Json], bool]
    what: str
    at: str = ""


def has(node: Json, name: str) -> bool:
    """Whether an element is there, if only by its extensions."""
    return name in node or f"_{name}" in node


class OfNames:
    """What an invariant asks where the names of an object's elements alone decide it."""

    __slots__ = ("_asks",)

    def __init__(self, asks: Callable[[Json], bool]) -> None:
        self._asks = asks

    def __call__(self, node: Json) -> bool:
        return self._asks(node)


def _some(*names: str) -> OfNames:
    return OfNames(lambda node: any(has(node, name) for name in names))


def _with(name: str, other: str) -> OfNames:
    return OfNames(lambda node: not has(node, name) or has(node, other))


def _not_both(name: str, other: str) -> OfNames:
    return OfNames(lambda node: not (has(node, name) and has(node, other)))


def _valued(node: Json, choice: str) -> bool:
    return any(name.lstrip("_").startswith(choice) for name in node)


def codes(node: Json, name: str) -> Iterator[tuple[Any, Any]]:
    """The (system, code) pairs of a CodeableConcept."""
    concept = node.get(name)
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            yield coding.get("system"), coding.get("code")


def _coded(name: str, system: str, *wanted: str) -> Callable[[Json], bool]:
    pairs = {(_SYSTEM + system, code) for code in wanted}
    return lambda node: any(_hashable(pair) and pair in pairs for pair in codes(node, name))


def _hashable(pair: tuple[Any, Any]) -> bool:
    return all(isinstance(part, str) for part in pair)


# --- more than names -------------------------------------------------------------------------------------

_ALLERGY_ERROR = _coded("verificationStatus", "allergyintolerance-verification", "entered-in-error")
_CONDITION_ERROR = _coded("verificationStatus", "condition-ver-status", "entered-in-error")
_CONDITION_OVER = _coded("clinicalStatus", "condition-clinical", "resolved", "remission", "inactive")


def _obs_7(node: Json) -> bool:
    if "component" not in node or not _valued(node, "value"):
        return True
    own = {pair for pair in codes(node, "code") if _hashable(pair)}
    inner = node.get("component")
    parts = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
    return not any(pair in own for part in parts for pair in codes(part, "code") if _hashable(pair))


def _app_3(node: Json) -> bool:
    timed = has(node, "start") and has(node, "end")
    return timed or node.get("status") in ("proposed", "cancelled", "waitlist")


def _not_at_home(name: str) -> Callable[[Json], bool]:
    def holds(node: Json) -> bool:
        listed = node.get(name)
        return not isinstance(listed, list) or not any(
            isinstance(one, dict) and one.get("use") == "home" for one in listed
        )

    return holds


def _number(node: Any, name: str = "value") -> Decimal | int | float | None:
    value = node.get(name) if isinstance(node, dict) else None
    return value if isinstance(value, (Decimal, int, float)) and not isinstance(value, bool) else None


def _rng_2(node: Json) -> bool:
    low, high = _number(node.get("low")), _number(node.get("high"))
    return low is None or high is None or low <= high


def _rat_1(node: Json) -> bool:
    return has(node, "numerator") == has(node, "denominator") and (
        has(node, "numerator") or "extension" in node
    )


def _ucum(node: Json) -> bool:
    return (has(node, "code") or not has(node, "value")) and node.get("system", _UCUM) == _UCUM


def _age_1(node: Json) -> bool:
    number = _number(node)
    return _ucum(node) and (number is None or number > 0)


def _drt_1(node: Json) -> bool:
    return not has(node, "code") or (node.get("system") == _UCUM and has(node, "value"))


def _not_negative(name: str) -> Callable[[Json], bool]:
    def holds(node: Json) -> bool:
        number = _number(node, name)
        return number is None or number >= 0

    return holds


def _tim_9(node: Json) -> bool:
    listed = node.get("when")
    meals = isinstance(listed, list) and any(one in ("C", "CM", "CD", "CV") for one in listed)
    return not has(node, "offset") or (has(node, "when") and not meals)


def _mdd_1(node: Json) -> bool:
    prepared, handed = node.get("whenPrepared"), node.get("whenHandedOver")
    if not isinstance(prepared, str) or not isinstance(handed, str):
        return True
    shared = min(len(prepared), len(handed), len("2024-01-01"))
    return handed[:shared] >= prepared[:shared] or ("T" in handed and handed[-6:] != prepared[-6:])


_TWO: Final = "two elements exclude each other"
_MISSING: Final = "an element needs another one beside it"

INVARIANTS: Final[dict[str, tuple[Invariant, ...]]] = {
    "Observation": (
        Invariant(
            "obs-6",
            OfNames(lambda node: not has(node, "dataAbsentReason") or not _valued(node, "value")),
            "a value and a reason for its absence exclude each other",
            "dataAbsentReason",
        ),
        Invariant("obs-7", _obs_7, "the value is that of a component, and stands there only", "component"),
    ),
    "Observation.component": (
        Invariant(
            "obs-6",
            OfNames(lambda node: not has(node, "dataAbsentReason") or not _valued(node, "value")),
            "a value and a reason for its absence exclude each other",
            "dataAbsentReason",
        ),
    ),
    "Observation.referenceRange": (
        Invariant("obs-3", _some("low", "high", "text"), "a reference range needs low, high or text"),
    ),
    "Patient.contact": (
        Invariant(
            "pat-1",
            _some("name", "telecom", "address", "organization"),
            "a contact needs a name, a telecom, an address or an organization",
        ),
    ),
    "ServiceRequest": (Invariant("prr-1", _with("orderDetail", "code"), _MISSING, "orderDetail"),),
    "Immunization.education": (
        Invariant(
            "imm-1", _some("documentType", "reference"), "education needs a document type or a reference"
        ),
    ),
    "Appointment": (
        Invariant(
            "app-2", lambda node: has(node, "start") == has(node, "end"), "start and end come together"
        ),
        Invariant("app-3", _app_3, "only a proposed, cancelled or waiting appointment has no start and end"),
        Invariant(
            "app-4",
            lambda node: not has(node, "cancelationReason") or node.get("status") in ("noshow", "cancelled"),
            "only a cancelled appointment has a reason for it",
            "cancelationReason",
        ),
    ),
    "Appointment.participant": (
        Invariant(
            "app-1",
            lambda node: has(node, "type") or has(node, "actor"),
            "a participant needs a type or an actor",
        ),
    ),
    "AllergyIntolerance": (
        Invariant(
            "ait-1",
            lambda node: _ALLERGY_ERROR(node) or has(node, "clinicalStatus"),
            "an allergy that was not entered in error has a clinical status",
        ),
        Invariant(
            "ait-2",
            lambda node: not (_ALLERGY_ERROR(node) and has(node, "clinicalStatus")),
            "what was entered in error has no clinical status",
            "clinicalStatus",
        ),
    ),
    "Condition": (
        Invariant(
            "con-4",
            lambda node: not _valued(node, "abatement") or _CONDITION_OVER(node),
            "a condition that has abated is inactive, in remission or resolved",
            "clinicalStatus",
        ),
        Invariant(
            "con-5",
            lambda node: not (_CONDITION_ERROR(node) and has(node, "clinicalStatus")),
            "what was entered in error has no clinical status",
            "clinicalStatus",
        ),
    ),
    "Condition.stage": (Invariant("con-1", _some("summary", "assessment"), "a stage needs a summary"),),
    "Condition.evidence": (Invariant("con-2", _some("code", "detail"), "evidence needs a code or a detail"),),
    "Organization": (
        Invariant("org-1", _some("identifier", "name"), "an organization needs an identifier or a name"),
        Invariant("org-2", _not_at_home("address"), "an organization has no address at home", "address"),
        Invariant("org-3", _not_at_home("telecom"), "an organization has no telecom at home", "telecom"),
    ),
    "MedicationDispense": (
        Invariant("mdd-1", _mdd_1, "nothing is handed over before it is prepared", "whenHandedOver"),
    ),
    "MedicationAdministration.dosage": (
        Invariant(
            "mad-1",
            lambda node: has(node, "dose") or _valued(node, "rate"),
            "a dosage needs a dose or a rate",
        ),
    ),
    "CarePlan.activity": (Invariant("cpl-3", _not_both("detail", "reference"), _TWO),),
    "Goal.target": (
        Invariant("gol-1", lambda node: not _valued(node, "detail") or has(node, "measure"), _MISSING),
    ),
    "FamilyMemberHistory": (
        Invariant("fhs-1", lambda node: not (_valued(node, "age") and _valued(node, "born")), _TWO),
        Invariant("fhs-2", lambda node: _valued(node, "age") or not has(node, "estimatedAge"), _MISSING),
    ),
    "Quantity": (Invariant("qty-3", _with("code", "system"), "a coded unit names its system", "code"),),
    "Age": (
        Invariant("qty-3", _with("code", "system"), "a coded unit names its system", "code"),
        Invariant("age-1", _age_1, "an age is more than nothing, in a unit of UCUM"),
    ),
    "Duration": (
        Invariant("qty-3", _with("code", "system"), "a coded unit names its system", "code"),
        Invariant("drt-1", _drt_1, "a coded duration has a value in a unit of UCUM"),
    ),
    "Count": (Invariant("cnt-3", _ucum, "a count is a number in a unit of UCUM"),),
    "Distance": (Invariant("dis-1", _ucum, "a distance is a number in a unit of UCUM"),),
    "Range": (Invariant("rng-2", _rng_2, "the low end is above the high one"),),
    "Ratio": (Invariant("rat-1", _rat_1, "a ratio has a numerator and a denominator"),),
    "Attachment": (Invariant("att-1", _with("data", "contentType"), "data need a content type", "data"),),
    "ContactPoint": (Invariant("cpt-2", _with("value", "system"), "a contact point names its system"),),
    "Timing.repeat": (
        Invariant("tim-1", _with("duration", "durationUnit"), _MISSING, "duration"),
        Invariant("tim-2", _with("period", "periodUnit"), _MISSING, "period"),
        Invariant("tim-4", _not_negative("duration"), "a duration is not negative", "duration"),
        Invariant("tim-5", _not_negative("period"), "a period is not negative", "period"),
        Invariant("tim-6", _with("periodMax", "period"), _MISSING, "periodMax"),
        Invariant("tim-7", _with("durationMax", "duration"), _MISSING, "durationMax"),
        Invariant("tim-8", _with("countMax", "count"), _MISSING, "countMax"),
        Invariant("tim-9", _tim_9, "an offset goes with an event that is no meal", "offset"),
        Invariant("tim-10", _not_both("timeOfDay", "when"), _TWO, "when"),
    ),
}
"""Type -> its invariants; ``Timing.repeat`` is the type of that element."""
