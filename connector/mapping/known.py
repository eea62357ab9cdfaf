"""What fields of reference data said before.

The same wards, doctors, departments and codes come in message after message. A field declared
``shared`` remembers what a text said, together with the resources it referred to, and says it again
without reading the text anew. No field about the patient is declared so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .bound import Unsaid
from .places import Json, Reader, Writer, copies
from .scope import Scope

Take = Callable[[str, Json, Scope], Unsaid | None]
_MOST = 4096
_LONGEST = 400


Simple = tuple[str, Callable[[], Any], "Unsaid | None"]
"""A single element of a resource, how to make it, and what stays unsaid: all that most texts say."""


class _Said(NamedTuple):
    """What any other text says: the elements, the resources referred to, and what stays unsaid."""

    elements: list[tuple[str, Callable[[], Any]]]
    referred: list[tuple[str, Callable[[], Json]]]
    unsaid: Unsaid | None


class Known:
    """A field's ``take`` that remembers: ``again``.

    ``simple``: the texts that say a single element and refer to nothing, for those who look here first.
    """

    __slots__ = ("_known", "_take", "again", "simple")

    def __init__(self, take: Take) -> None:
        self.simple: dict[str, Simple] = {}
        self._known: dict[str, _Said] = {}
        self._take = take
        self.again: Take = self._again

    def _again(self, text: str, node: Json, scope: Scope) -> Unsaid | None:
        if not scope.standard:
            return self._take(text, node, scope)
        simple = self.simple.get(text)
        if simple is not None:
            name, make, unsaid = simple
            _add(node, name, make)
            return unsaid
        said = self._known.get(text)
        if said is None:
            return self._first(text, node, scope)
        for reference, make in said.referred:
            if not scope.again(reference, make):
                return self._take(text, node, scope)
        for name, make in said.elements:
            _add(node, name, make)
        return said.unsaid

    def _first(self, text: str, node: Json, scope: Scope) -> Unsaid | None:
        """Say a text, and remember what it said where nothing around it had a part in that."""
        referred: list[tuple[str, Callable[[], Json]]] = []
        shareable = len(text) <= _LONGEST
        refer = scope.refer

        def noted(kind: str, seed: str, resource: Json, owner: str) -> str:
            nonlocal shareable
            content = dict(resource)
            reference = refer(kind, seed, resource, owner)
            shareable = shareable and scope.plainly(kind, seed, reference)
            if shareable:
                made = _one_maker({**content, "id": reference.partition("/")[2]})
                referred.append((reference, made))
            return reference

        scope.refer = noted
        fresh: Json = {}
        unsaid = self._take(text, fresh, scope)
        scope.refer = refer
        for name, value in fresh.items():
            _join(node, name, value)
        if shareable:
            self._remember(text, fresh, referred, unsaid)
        return unsaid

    def _remember(
        self,
        text: str,
        fresh: Json,
        referred: list[tuple[str, Callable[[], Json]]],
        unsaid: Unsaid | None,
    ) -> None:
        if len(self.simple) + len(self._known) >= _MOST:
            self.simple.clear()
            self._known.clear()
        elements = [(name, copies(value)) for name, value in fresh.items()]
        if len(elements) == 1 and not referred:
            self.simple[text] = *elements[0], unsaid
        else:
            self._known[text] = _Said(elements, referred, unsaid)


_makers: dict[str, Callable[[], Json]] = {}


def _one_maker(resource: Json) -> Callable[[], Json]:
    """What makes a resource; one for all fields that refer to the same, so that they know it again."""
    content = repr(resource)
    found = _makers.get(content)
    if found is None:
        if len(_makers) >= _MOST:
            _makers.clear()
        found = _makers[content] = copies(resource)
    return found


def _add(node: Json, name: str, make: Callable[[], Any]) -> None:
    if name in node:
        _join(node, name, make())
    else:
        node[name] = make()


def remembering_within(take: Take, reader: Reader, writer: Writer) -> Take:
    """The same for an element that other fields say other parts of; ``take`` says the element's own parts."""
    again = Known(take).again

    def within(text: str, node: Json, scope: Scope) -> Unsaid | None:
        element: Json | None = reader(node)
        if element is None:
            element = {}
            unsaid = again(text, element, scope)
            if element:
                writer(node, element)
            return unsaid
        apart: Json = {}
        unsaid = again(text, apart, scope)
        if apart.keys().isdisjoint(element):
            element.update(apart)
            return unsaid
        return take(text, element, scope)

    return within


def _join(node: Json, name: str, value: Any) -> None:
    found = node.get(name)
    if isinstance(found, list):
        found += [element for element in value if element not in found]
    elif isinstance(found, dict):
        for inner, said in value.items():
            _join(found, inner, said)
    else:
        node[name] = value


def remembering_part(look: Take) -> Take:
    """What looks at a raw component of its own, and says the same of a node whatever the node holds."""
    known: dict[str, tuple[Callable[[], Json], Unsaid | None]] = {}

    def again(text: str, node: Json, scope: Scope) -> Unsaid | None:
        said = known.get(text)
        if said is None or not scope.standard:
            fresh: Json = {}
            unsaid = look(text, fresh, scope)
            node.update(fresh)
            if scope.standard and len(text) <= _LONGEST:
                if len(known) >= _MOST:
                    known.clear()
                known[text] = copies(fresh), unsaid
            return unsaid
        node.update(said[0]())
        return said[1]

    return again
