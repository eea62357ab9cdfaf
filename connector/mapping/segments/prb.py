"""PRB <-> Condition, an entry of the problem list (HL7 v2.5.1 ch. 12.4.2; the guide has no map)."""

from __future__ import annotations

from typing import Any, Final

from ..datatypes.bound_codes import Among
from ..datatypes.coded import Concept, OneCoding, meant
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.primitives import date_time
from ..datatypes.references import identified
from ..fields import Field, One
from ..places import Json, includes
from ..units import Around
from .onset import Onset
from .rows import SD, concept, extension_value, value

_CODES: Final = "http://terminology.hl7.org/CodeSystem/"
_CLINICAL = Among(
    _CODES + "condition-clinical",
    frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"}),
)
_VERIFICATION = Among(
    _CODES + "condition-ver-status",
    frozenset({"unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"}),
)
_ERROR: Final = "entered-in-error"
_PROBLEM: Final[Any] = {
    "coding": [{"system": _CODES + "condition-category", "code": "problem-list-item"}],
}
_ENDED: Final = {"inactive", "remission", "resolved"}

PRB_CONDITION = (
    value("PRB-2", "recordedDate", date_time),
    concept("PRB-3", "code"),
    Field("PRB-4", "identifier", EI_IDENTIFIER, rest=True, most=1),
    Field("PRB-5", "identifier", EI_IDENTIFIER, tag={"use": "secondary"}, most=1),
    extension_value("PRB-7", SD + "condition-assertedDate", "valueDateTime", date_time),
    value("PRB-9", "abatementDateTime", date_time),
    Field("PRB-10", "category", (Concept(),), most=1, never=(_PROBLEM,)),
    One("PRB-13", "verificationStatus", (_VERIFICATION,)),
    One("PRB-14", "clinicalStatus", (_CLINICAL,)),
    Onset("PRB", 16, 17),
    Field("PRB-25", "meta.security", (OneCoding(),), most=1),
    concept("PRB-26", "severity"),
)


def _code(concept: Any, system: str) -> str:
    codings = concept.get("coding") or () if isinstance(concept, dict) else ()
    return next((str(one.get("code")) for one in codings if one.get("system") == _CODES + system), "")


def complete(node: Json, around: Around) -> None:
    """What is deleted was an error; what has ended is resolved, unless it is said how (invariant con-4)."""
    if around.value("PRB-1") == "DE":
        node["verificationStatus"] = {"coding": [{"system": _CODES + "condition-ver-status", "code": _ERROR}]}
        around.note("PRB-1", said=True)
        around.note("PRB-13", said=False)
    node["category"] = [*node.get("category", ()), {"coding": [dict(_PROBLEM["coding"][0])]}]
    status = _code(node.get("clinicalStatus"), "condition-clinical")
    if _code(node.get("verificationStatus"), "condition-ver-status") == _ERROR:
        if status:
            del node["clinicalStatus"]  # FHIR R4 invariant con-5
            around.note("PRB-14", said=False)
        if node.pop("abatementDateTime", ""):
            around.note("PRB-9", said=False)
    elif "abatementDateTime" in node and not status:
        node["clinicalStatus"] = {"coding": [{"system": _CODES + "condition-clinical", "code": "resolved"}]}
    elif status and status not in _ENDED and node.pop("abatementDateTime", ""):
        around.note("PRB-9", said=False)


def assumes(node: Json, around: Around) -> tuple[str, ...]:
    """That a problem which ended is resolved."""
    return () if around.value("PRB-14") else ("clinicalStatus",)


def is_problem(node: Json) -> bool:
    """Whether a Condition is of the problem list."""
    return any(includes(one, _PROBLEM) for one in node.get("category", ()))


def identity(node: Json, around: Around) -> str:
    """The problem's instance identifier (PRB-4), else whose and which code."""
    return identified(node) or f"{around.parent('patient')}|{meant(node.get('code'))}"
