"""EIP <-> identifiers: the placer's and the filler's name of one thing (guide: EIP[Identifier-...])."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..lens import Bound, Lens, Unsaid, compile_rows
from ..partner import V2, Partner
from ..places import Comps, Json, comp, includes, same, write_comp
from ..scope import Scope
from .identifiers import EI_IDENTIFIER


def of_type(code: str) -> Json:
    """An ``Identifier.type`` of table 0203."""
    return {"type": {"coding": [{"system": V2 + "0203", "code": code}]}}


GROUP_NUMBERS = (of_type("PGN"), of_type("FGN"))
ORDER_NUMBERS = (of_type("PLAC"), of_type("FILL"))

Tags = tuple[Json, Json]


class _Parts:
    """The two EI of an EIP, whose own components are sub-components."""

    def __init__(self, partner: Partner, tags: Tags) -> None:
        self.lens: Lens = compile_rows(EI_IDENTIFIER, partner)
        self.tags = tags

    def say(self, comps: Comps, at: int, scope: Scope) -> tuple[Json, Unsaid]:
        identifier: Json = {}
        sent = comp(comps, at)
        unsaid = self.lens.get(sent.split(scope.subcomponent), identifier, scope) if sent else None
        if identifier:
            identifier |= self.tags[at]
        return identifier, [f"{at + 1}.{rest}" if len(sent) > 1 else f"{at + 1}" for rest in unsaid or ()]

    def write(self, new: Json, old: Json, comps: Comps, at: int, scope: Scope) -> None:
        if same(new, old):
            return
        sent = comp(comps, at)
        subs = sent.split(scope.subcomponent) if sent else []
        self.lens.put(new, old, subs, scope)
        write_comp(comps, at, scope.subcomponent.join(subs).rstrip(scope.subcomponent))

    def find(self, identifiers: Iterable[Any], at: int) -> Json:
        """The identifier of one of the two types."""
        mine = (one for one in identifiers if isinstance(one, dict) and includes(one, self.tags[at]))
        return next(mine, {})


@dataclass(frozen=True, slots=True)
class EntityPair:
    """An EIP <-> two elements of the list ``identifier``, each known by its type."""

    tags: Tags = field(default=GROUP_NUMBERS)

    def compile(self, partner: Partner) -> Bound:
        parts = _Parts(partner, self.tags)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid: Unsaid = []
            for at in (0, 1):
                identifier, rest = parts.say(comps, at, scope)
                unsaid += rest
                if identifier:
                    node.setdefault("identifier", []).append(identifier)
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            for at in (0, 1):
                new, old = (parts.find(node.get("identifier") or (), at) for node in (target, base))
                parts.write(new, old, comps, at, scope)

        marks = tuple(("identifier", tag) for tag in self.tags)
        return Bound(put, whole=get, reads=frozenset({0, 1}), elements=frozenset({"identifier"}), marks=marks)


@dataclass(frozen=True, slots=True)
class NamedThing:
    """An EIP <-> a Reference to what has that identifier: the placer's, else the filler's.

    ``points``: on the way back, what a Reference points to is named by its own identifiers.
    """

    kind: str
    tags: Tags = field(default=ORDER_NUMBERS)
    points: bool = False

    def compile(self, partner: Partner) -> Bound:
        parts = _Parts(partner, self.tags)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid: Unsaid = []
            for at in (0, 1):
                identifier, rest = parts.say(comps, at, scope)
                if identifier and "identifier" in node:
                    rest = [str(at + 1)]
                elif identifier:
                    node.update({"identifier": identifier, "type": self.kind})
                unsaid += rest
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if same(target, base):
                return
            both = [[node.get("identifier") or {}] for node in (target, base)]
            if self.points and not both[0][0]:
                both[0] = _numbers(scope.target.resolve(target))
            untyped = not any(parts.find(both[0], at) for at in (0, 1))
            for at in (0, 1):
                new, old = (parts.find(one, at) for one in both)
                if untyped and not at and both[0][0]:
                    new = {**both[0][0], **self.tags[0]}
                if new or old:
                    parts.write(new, old, comps, at, scope)

        return Bound(put, whole=get, reads=frozenset({0, 1}), elements=frozenset({"identifier", "type"}))


def _numbers(resource: Json | None) -> list[Json]:
    """The identifiers of a resource; at least an empty one."""
    return [one for one in (resource or {}).get("identifier") or () if isinstance(one, dict)] or [{}]


def names_by_number(kind: str) -> Any:
    """Whether a Reference names a thing of this kind, which a number can do too."""

    def names(node: Json) -> bool:
        pointed = str(node.get("reference", "")).rpartition("/")[0].rpartition("/")[2]
        return ("identifier" in node and node.get("type", kind) == kind) or pointed == kind

    return names
