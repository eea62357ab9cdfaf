"""IAM-14 and IAM-15 <-> who reported an allergy (guide: IAM[AllergyIntolerance])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..assembly import canonical
from ..datatypes.coded import Concept
from ..datatypes.people import XPN_HUMANNAME
from ..fields import BoundOne, One, write_field
from ..partner import Partner
from ..places import Json, same
from ..scope import Resources, Scope

_SELF: Final = "SEL"
_PRACTITIONER: Final = "Practitioner"
_RELATED: Final = "RelatedPerson"


@dataclass(frozen=True, slots=True)
class Reporter:
    """A name and a relationship <-> ``recorder``: the patient, a relative, else a practitioner."""

    segment: str = "IAM"
    name: int = 14
    relationship: int = 15

    def compile(self, partner: Partner) -> _Reporter:
        named = One(f"{self.segment}-{self.name}", "name.0", XPN_HUMANNAME).compile(partner)
        related = One(f"{self.segment}-{self.relationship}", "relationship.0", (Concept("HL70063"),))
        return _Reporter(self, named, related.compile(partner))


class _Reporter:
    __slots__ = ("declared", "elements", "name", "numbers", "relationship", "segment")

    def __init__(self, declared: Reporter, name: BoundOne, relationship: BoundOne) -> None:
        self.declared = declared
        self.segment = declared.segment
        self.numbers = (declared.name, declared.relationship)
        self.elements = frozenset({"recorder"})
        self.name, self.relationship = name, relationship

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        name, relationship = (segment.field(number) for number in self.numbers)
        if not _said(name) and not _said(relationship):
            return None
        if _is_self(relationship, scope):
            return self._of_patient(name, relationship, node, scope)
        if not _said(name):
            return [str(self.declared.relationship)]
        person: Json = {}
        unsaid = [f"{self.declared.name}{rest}" for rest in self.name.take(name, person, scope) or ()]
        kind = _PRACTITIONER
        if _said(relationship):
            kind = _RELATED
            rest = self.relationship.take(relationship, person, scope) or ()
            unsaid += [f"{self.declared.relationship}{one}" for one in rest]
            person["patient"] = {"reference": scope.owner}
        if "name" in person:
            node["recorder"] = {"reference": self._refer(kind, person, scope)}
        return unsaid or None

    def _of_patient(self, name: str, relationship: str, node: Json, scope: Scope) -> list[str] | None:
        """The patient himself: his name is said where it belongs."""
        node["recorder"] = {"reference": scope.owner}
        comps = relationship.split(scope.component)
        unsaid = [f"{self.declared.relationship}.{n}" for n, text in enumerate(comps[1:], 2) if text]
        return unsaid + ([str(self.declared.name)] if _said(name) else []) or None

    @staticmethod
    def _refer(kind: str, person: Json, scope: Scope) -> str:
        resource = {"resourceType": kind, **person}
        return scope.refer(kind, f"reported|{scope.owner}|{canonical(person)}", resource, scope.owner)

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = (
            self._person(node.get("recorder"), side)
            for node, side in ((target, scope.target), (base, scope.base))
        )
        if same(now, before):
            return
        if now is None or now["resourceType"] == "Patient" or before is None:
            for number in self.numbers:
                write_field(segment, number, [""], scope)
            before = {}
        if now is None:
            return
        if now["resourceType"] == "Patient":
            write_field(segment, self.declared.relationship, [_SELF], scope)
            return
        self.name.put(now, before, segment, scope)
        if now["resourceType"] == _RELATED or segment.field(self.declared.relationship):
            self.relationship.put(now, before, segment, scope)

    @staticmethod
    def _person(reference: Any, resources: Resources) -> Json | None:
        found = resources.resolve(reference)
        kind = found.get("resourceType") if found else ""
        if found is None or kind not in ("Patient", _PRACTITIONER, _RELATED):
            return None
        if kind == "Patient":
            return {"resourceType": "Patient"}
        return {name: found[name] for name in ("resourceType", "name", "relationship") if name in found}


def _said(text: str) -> bool:
    return bool(text) and text != '""'


def _is_self(text: str, scope: Scope) -> bool:
    return text.split(scope.component)[0] == _SELF
