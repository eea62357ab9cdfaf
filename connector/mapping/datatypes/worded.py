"""A coded field <-> a code that FHIR has a list of its own for, and beside it what the sender says with it.

A FHIR ``code`` has no words: the sender's text, coding system and other codings are a CodeableConcept of the
extension that keeps a sender's code (guide: alternate-codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..emit import Leaf
from ..lens import EVERY, Bound, Unsaid
from ..partner import V2, Partner
from ..places import Comps, Json, comp, place, same
from ..scope import Scope
from .coded import ALTERNATE, Concept
from .kept import Kept

_SILENT: Final = ("", '""')


@dataclass(frozen=True, slots=True)
class Worded:
    """A row about a code, and the words that stand with it."""

    kept: Kept

    def compile(self, partner: Partner) -> Bound:
        words = _Words(self.kept, partner)
        inner = words.inner
        return Bound(words.put, whole=words.get, reads=EVERY, elements=inner.elements, marks=inner.marks)


class _Words:
    """Both directions of a code with words."""

    __slots__ = ("_concept", "_look", "_looks", "_read", "_system", "_take", "_write", "inner")

    def __init__(self, kept: Kept, partner: Partner) -> None:
        self.inner = kept.compile(partner)
        ((_, leaf),) = self.inner.leaves.items()
        self._take: Leaf = leaf
        self._system = V2 + kept.table[3:7]
        self._concept = Concept().compile(partner)
        assert self._concept.whole is not None  # noqa: S101 - a concept looks at the whole
        self._look = self._concept.whole
        self._read, self._write = place(f"{kept.under}.extension" if kept.under else "extension")
        self._looks = [place(name)[0] for name in self.inner.elements]

    def get(self, comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
        code = scope.unescape(comp(comps, 0).split(scope.subcomponent)[0])
        valued = [str(n) for n, text in enumerate(comps, 1) if text not in _SILENT]
        if code in _SILENT or not self._take.take(code, node):
            return valued or None
        if not any(text not in _SILENT for text in comps[1:]):
            return [
                f"1.{n}" for n, sub in enumerate(comps[0].split(scope.subcomponent)[1:], 2) if sub
            ] or None
        concept: Json = {}
        unsaid = self._look(comps, concept, scope)
        for coding in concept.get("coding", ())[:1]:
            coding.setdefault("system", self._system)
        if not self._says_more(concept):
            return unsaid
        others = [one for one in self._read(node) or () if one.get("url") != ALTERNATE]
        self._write(node, [*others, {"url": ALTERNATE, "valueCodeableConcept": concept}])
        return unsaid

    def put(self, target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        new, old = self._words(target), self._words(base)
        if not new or not self._fits(new, target, base, scope):
            self.inner.put(target, base, comps, scope)
            if old:
                del comps[1:]
        elif not same(new, old) or not self._fits(old, base, base, scope):
            self._concept.put(new, old, comps, scope)

    def _words(self, node: Json) -> Json:
        """The CodeableConcept beside the code, where it says more than a code of the table."""
        for one in self._read(node) or ():
            concept = one.get("valueCodeableConcept")
            if one.get("url") == ALTERNATE and isinstance(concept, dict):
                return concept if self._says_more(concept) else {}
        return {}

    def _says_more(self, concept: Json) -> bool:
        """Whether there is more than a code of the field's own table."""
        first, *others = concept.get("coding") or [{}]
        plain = first.get("system") == self._system and first.keys() <= {"system", "code"}
        return not plain or bool(others) or "text" in concept

    def _fits(self, concept: Json, node: Json, base: Json, scope: Scope) -> bool:
        """Whether the code that the words stand with still says what FHIR does, or did if it has no image."""
        comps: Comps = []
        self._concept.put(concept, {}, comps, scope)
        said: Json = {}
        self._take.take(scope.unescape(comp(comps, 0)), said)
        if all(look(said) is None for look in self._looks):
            said = base or node
        return all(same(look(node), look(said)) for look in self._looks)
