"""Saying a field again in parts, by the very rows that said it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ..hl7v2.tree import Segment
from .fields import DELETE, BoundAcross, BoundField, BoundOne
from .places import Json
from .scope import Scope

_SKIPPED = ("resourceType", "id")

Leaves = dict[tuple[str, str], Any]
"""By resource (empty: the one at hand) and path, the primitive that stands there."""


@dataclass(slots=True)
class Part:
    """A part of what a row reads: its location behind the segment's label, and the row's own name of it."""

    at: str
    named: str


class Source(NamedTuple):
    """What a row reads, in parts: ``say`` says those that are told, and returns what that is.

    ``constants``: the paths of what the row says whatever it reads.
    """

    parts: Sequence[Part]
    say: Callable[[frozenset[int]], Leaves]
    constants: Sequence[str] = ()


def walk(node: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every primitive of a node with its path, ``name[0].family``."""
    found: list[tuple[str, Any]] = []
    _walk(node, path, found)
    return found


def _walk(node: Any, path: str, found: list[tuple[str, Any]]) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            if path or name not in _SKIPPED:
                _walk(value, f"{path}.{name}" if path else name, found)
    elif isinstance(node, list):
        for at, value in enumerate(node):
            _walk(value, f"{path}[{at}]", found)
    else:
        found.append((path, node))


def field_source(bound: BoundField | BoundOne, repetition: str, rep: str, scope: Scope) -> Source:
    comps = repetition.split(scope.component)
    parts = [
        (c, s, f".{c + 1}" + (f".{s + 1}" if several else ""))
        for c, comp in enumerate(comps)
        for several in [scope.subcomponent in comp]
        for s, sub in enumerate(comp.split(scope.subcomponent))
        if sub not in ("", DELETE)
    ]

    def say(told: frozenset[int]) -> Leaves:
        kept = {parts[n][:2] for n in told}
        texts = [
            scope.subcomponent.join(
                sub if (c, s) in kept else "" for s, sub in enumerate(comp.split(scope.subcomponent))
            ).rstrip(scope.subcomponent)
            for c, comp in enumerate(comps)
        ]
        apart = _again(scope)
        element: Json = {}
        bound.get(texts, element, apart)
        return leaves_of(element, apart)

    constants: list[str] = []
    if isinstance(bound, BoundField):
        said = {path for where, path in say(frozenset(range(len(parts)))) if not where}
        whole = bound.view(comps, _again(scope))[0]
        constants = [path for path, _ in walk(whole) if path not in said]
    number = f"-{bound.number}"
    alone = len(comps) == 1 and len(parts) == 1
    named = [Part(f"{number}{rep}{'' if alone else at}", number + at) for _, _, at in parts]
    return Source(named, say, constants)


def across_source(across: BoundAcross, segment: Segment, scope: Scope) -> Source:
    numbers = [n for n in across.numbers if segment.field(n) not in ("", DELETE)]

    def say(told: frozenset[int]) -> Leaves:
        kept = {numbers[n] for n in told}
        seen = segment.copy()
        for number in across.numbers:
            if number not in kept:
                seen.set(number, "")
        element: Json = {}
        apart = _again(scope)
        across.get(seen, element, apart)
        return leaves_of(element, apart)

    return Source([Part(f"-{n}", f"-{n}") for n in numbers], say)


def _again(scope: Scope) -> Scope:
    apart = scope.apart()
    apart.beware()
    return apart


def leaves_of(element: Json, scope: Scope) -> Leaves:
    """What is said, and what is said of the resources that it refers to."""
    found: Leaves = {("", path.lstrip(".")): value for path, value in walk({"": element}, "")}
    gathered = getattr(scope.gathered, "resources", {})
    for reference, resource in gathered.items():
        found |= {(reference, path): value for path, value in walk(resource)}
    return found


class Saying:
    """What all parts of a source say together, each alone, and all without each."""

    def __init__(self, source: Source) -> None:
        everything = frozenset(range(len(source.parts)))
        self.full = source.say(everything)
        self._alone = [source.say(frozenset({n})) for n in sorted(everything)]
        self._without = [source.say(everything - {n}) for n in sorted(everything)]

    @cached_property
    def _changes(self) -> list[int]:
        """How much of what is said would be another without each part."""
        return [sum(rest.get(key) != value for key, value in self.full.items()) for rest in self._without]

    def element(self, name: str, index: int) -> Json:
        """An element of a list of primitives and flat objects, as far as its own leaves say it."""
        start = f"{name}[{index}]."
        return {
            path[len(start) :]: value
            for (where, path), value in self.full.items()
            if not where and path.startswith(start) and "." not in path[len(start) :]
        }

    def owners(self, where: str, inside: str) -> list[int]:
        """The parts a leaf comes from: which say it alone, else without which it would be another.

        None for a constant, which comes from all of them alike.
        """
        if (where, inside) not in self.full:
            return []
        for form in (str, _unnumbered):
            if owners := [n for n in range(len(self._alone)) if self._says(n, where, inside, form)]:
                missed = [n for n in owners if self._misses(n, where, inside)]
                if where:
                    return self._likest(missed or owners, where)
                return missed or (owners if len(owners) == 1 else [])
        needed = [n for n in range(len(self._without)) if self._misses(n, where, inside)]
        fewest = min((self._changes[n] for n in needed), default=0)
        return [n for n in needed if self._changes[n] == fewest]

    def _says(self, n: int, where: str, inside: str, form: Callable[[str], str]) -> bool:
        value, wanted = self.full[where, inside], form(inside)
        return any(
            _alike(said, value) and form(path) == wanted and _same_kind(at, where)
            for (at, path), said in self._alone[n].items()
        )

    def _misses(self, n: int, where: str, inside: str) -> bool:
        return bool(self._without[n].get((where, inside)) != self.full[where, inside])

    def _likest(self, owners: list[int], where: str) -> list[int]:
        """Of parts that say much the same of several resources, those that say the most of this one."""
        mine = {path: value for (at, path), value in self.full.items() if at == where}
        scores = [
            sum(
                1
                for (at, path), value in self._alone[n].items()
                if _same_kind(at, where) and path in mine and _alike(mine[path], value)
            )
            for n in owners
        ]
        return [n for n, score in zip(owners, scores) if score == max(scores)]


def _unnumbered(path: str) -> str:
    """A path whose place in a list of texts says nothing."""
    return re.sub(r"\[\d+\]$", "[]", path)


def _same_kind(one: str, other: str) -> bool:
    return one.partition("/")[0] == other.partition("/")[0]


def _alike(one: Any, other: Any) -> bool:
    return bool(one == other) and type(one) is type(other)
