"""What fields of reference data said before.

The same wards, doctors, departments and codes come in message after message. A field declared
``shared`` remembers what a text said, together with the resources it referred to, and says it again
without reading the text anew. No field about the patient is declared so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .lens import Unsaid
from .places import Json, copies
from .scope import Scope

Take = Callable[[str, Json, Scope], Unsaid | None]
_MOST = 4096
_LONGEST = 400


class _Referred(NamedTuple):
    """A resource a text refers to: under which reference, and how to make it."""

    reference: str
    make: Callable[[], Json]


class _Said(NamedTuple):
    """What a text says: the elements, the resources referred to, and what stays unsaid."""

    elements: list[tuple[str, Callable[[], Any]]]
    referred: list[_Referred]
    unsaid: Unsaid | None


def remembering(take: Take) -> Take:
    """A field's ``take`` that remembers."""
    known: dict[str, _Said] = {}

    def again(text: str, node: Json, scope: Scope) -> Unsaid | None:
        said = known.get(text)
        if said is None or not scope.standard:
            return _first(text, node, scope, take, known)
        for one in said.referred:
            if not scope.again(one.reference, one.make):
                return take(text, node, scope)
        for name, make in said.elements:
            if name in node:
                _join(node, name, make())
            else:
                node[name] = make()
        return said.unsaid

    return again


def _first(text: str, node: Json, scope: Scope, take: Take, known: dict[str, _Said]) -> Unsaid | None:
    """Say a text, and remember what it said where nothing around it had a part in that."""
    referred: list[_Referred] = []
    shareable = len(text) <= _LONGEST and scope.standard
    refer = scope.refer

    def noted(kind: str, seed: str, resource: Json, owner: str) -> str:
        nonlocal shareable
        content = dict(resource)
        reference = refer(kind, seed, resource, owner)
        shareable = shareable and scope.plainly(kind, seed, reference)
        referred.append(_Referred(reference, copies({**content, "id": reference.partition("/")[2]})))
        return reference

    scope.refer = noted
    fresh: Json = {}
    unsaid = take(text, fresh, scope)
    scope.refer = refer
    for name, value in fresh.items():
        _join(node, name, value)
    if shareable:
        if len(known) >= _MOST:
            known.clear()
        known[text] = _Said([(name, copies(value)) for name, value in fresh.items()], referred, unsaid)
    return unsaid


def _join(node: Json, name: str, value: Any) -> None:
    found = node.get(name)
    if isinstance(found, list):
        found += [element for element in value if element not in found]
    elif isinstance(found, dict):
        for inner, said in value.items():
            _join(found, inner, said)
    else:
        node[name] = value
