"""IAM-6 and IAM-17 <-> how an allergy stands: ``clinicalStatus`` and ``verificationStatus``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..across import simple
from ..codes import CodeTable
from ..datatypes.coded import Concept
from ..fields import BoundOne, One, write_field
from ..partner import V2, Partner
from ..places import Json, same
from ..scope import Scope

CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
ERROR: Final = "entered-in-error"
_ERROR: Final = {"system": VERIFICATION, "code": ERROR, "display": "Entered in Error"}
_ACTION, _STATUS = 6, 17
_NAMES: Final = ("clinicalStatus", "verificationStatus")


@dataclass(frozen=True, slots=True)
class Standing:
    """Tables 0206 and 0438: an action ``D`` says that the entry was an error, whatever its status."""

    def compile(self, partner: Partner) -> _Standing:
        clinical, verification = (
            One(f"IAM-{_STATUS}", name, (Concept(table),)).compile(partner)
            for name, table in zip(_NAMES, ("HL70438-clinical", "HL70438-verification"))
        )
        return _Standing(clinical, verification, partner.table("HL70438-verification"))


class _Standing:
    segment = "IAM"
    numbers = (_ACTION, _STATUS)
    elements = frozenset(_NAMES)

    def __init__(self, clinical: BoundOne, verification: BoundOne, table: CodeTable) -> None:
        self._clinical, self._verification, self._table = clinical, verification, table

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        action, unsaid = simple(segment, _ACTION, scope)
        status = segment.field(_STATUS)
        if status and status != '""':
            rest = self._clinical.take(status, node, scope) or ()
            self._verification.take(status, node, scope)
            unsaid += [f"{_STATUS}{one}" for one in rest]
        if action == "D":
            own = [one for one in _codings(node) if one.get("system") != VERIFICATION]
            node["verificationStatus"] = {
                **node.get("verificationStatus", {}),
                "coding": [*own, dict(_ERROR)],
            }
        elif action:
            unsaid.append(str(_ACTION))
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = _withdrawn(target), _withdrawn(base)
        if now != before:
            write_field(segment, _ACTION, ["D" if now else "U"], scope)
        target, base = _status_alone(target, now), _status_alone(base, before)
        if same(target, base) or (_assumed(target) and _assumed(base)):
            return
        self._clinical.put(target, base, segment, scope)
        code = segment.field(_STATUS).split(scope.component)[0]
        coded = self._table.to_fhir.get(code)
        if coded is None or coded.code not in _codes(target, VERIFICATION):
            self._verification.put(target, base, segment, scope)


def _assumed(said: Json) -> bool:
    """Whether nothing is said, or only what is so of every allergy."""
    clinical = said.get("clinicalStatus", {}).get("coding", ())
    bare = [(one.get("system"), one.get("code")) for one in clinical] in ([], [(CLINICAL, "active")])
    return bare and "verificationStatus" not in said


def _status_alone(node: Json, withdrawn: bool) -> Json:
    """What the status alone says: without the error that an action says, and without words of it."""
    said: Json = {name: node[name] for name in _NAMES if name in node}
    if not withdrawn:
        return said
    own = [one for one in _codings(node) if one.get("system") != VERIFICATION]
    said["verificationStatus"] = {**said["verificationStatus"], "coding": own}
    if not own:
        del said["verificationStatus"]
    return said


def _codings(node: Json) -> Iterator[Json]:
    status: Any = node.get("verificationStatus")
    yield from (one for one in (status or {}).get("coding", ()) if isinstance(one, dict))


def _codes(node: Json, system: str) -> list[str]:
    return [str(one.get("code")) for one in _codings(node) if one.get("system") == system]


def _withdrawn(node: Json) -> bool:
    """Whether an allergy was taken back by an action, not by its own status (``E``)."""
    return ERROR in _codes(node, VERIFICATION) and "E" not in _codes(node, V2 + "0438")
