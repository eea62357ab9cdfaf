"""Whether a resource is good, and nothing more: what almost every resource is asked.

One function a type, bound from the same tables that ``validate`` reads. ``good`` may say no of what is good
(``validate`` then looks with care), never yes of what is not; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from connector.fhir import elements, references, rules
from connector.fhir.invariants import INVARIANTS
from connector.fhir.primitives import CHECKS, NO_SPACES, PLAIN, PLAIN_ID

Judge = Callable[[Any], Any]

_TEXTS: Final = ("string", "markdown")
_TOKENS: Final = ("uri", "url", "canonical", "code")


def good(resource: Any) -> bool:
    """Whether a resource surely has no fault."""
    try:
        return bool(_resource(resource))
    except TypeError:  # a value of another JSON type than the ones that are matched
        return False


def _resource(node: Any) -> Any:
    kind = node["resourceType"] if type(node) is dict and "resourceType" in node else None
    if kind not in elements.resource_types() or "contained" in node:
        return False
    return _judge(kind)(node)


@cache
def _judge(kind: str) -> Judge:
    """The judge of a complex type. Types hold one another, so what is inside is bound when it is met."""
    shape = elements.shape(kind)
    if shape is None:
        raise KeyError(kind)
    judges = _Judges(shape, kind in elements.resource_types())
    demands = _demands(kind, shape)

    def judge(node: Any) -> bool:
        if type(node) is not dict or not node:
            return False
        for name, value in node.items():  # noqa: SIM110 - half as long as ``all``
            if not judges[name](value):
                return False
        return True

    def demanding(node: Any) -> bool:
        return judge(node) and all(demand(node) for demand in demands)

    return demanding if demands else judge


class _Judges(dict[str, Any]):
    """The judges of a type's elements by name, each bound when it is first met."""

    def __init__(self, shape: elements.Shape, is_resource: bool) -> None:
        self._shape = shape
        self._is_resource = is_resource

    def __missing__(self, name: str) -> Any:
        found = _bind(self._shape, name, self._is_resource)
        if found is None:
            return _never  # not kept: names that R4 does not know come from outside
        self[name] = found
        return found


def _never(value: Any) -> bool:
    return False


def _demands(kind: str, shape: elements.Shape) -> list[Judge]:
    """What is asked of the object as a whole: required elements, one type of a choice, the rules."""
    return [
        *map(_demand, shape.required.values()),
        *map(_chosen_once, _choices(shape)),
        *(invariant.holds for invariant in INVARIANTS.get(kind, ())),
        *map(_keeping, rules.RULES.get(kind, ())),
    ]


def _keeping(rule: rules.Rule) -> Judge:
    return lambda node: next(rule(node, ""), None) is None


def _chosen_once(names: frozenset[str]) -> Judge:
    return lambda node: len(names.intersection(node)) < 2


def _demand(names: tuple[str, ...]) -> Judge:
    if len(names) == 1:
        name, beside = names[0], f"_{names[0]}"
        return lambda node: name in node or beside in node
    every = frozenset({*names, *(f"_{name}" for name in names)})
    return lambda node: not every.isdisjoint(node)


def _choices(shape: elements.Shape) -> list[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, element in shape.elements.items():
        if element.choice:
            found.setdefault(element.choice, set()).add(name)
    return [frozenset(names) for names in found.values() if len(names) > 1]


def _bind(shape: elements.Shape, name: str, is_resource: bool) -> Judge | None:
    """The judge of one element's value; None for what is no element of the type."""
    if name == "resourceType" and is_resource:
        return lambda value: True
    if name.startswith("_"):
        element = shape.elements.get(name[1:])
        if element is None or element.type not in CHECKS or element.repeats:
            return None
        return _judge("Element")
    element = shape.elements.get(name)
    if element is None:
        return None
    one = _single(element)
    return _listed(one) if element.repeats else one


def _listed(one: Judge) -> Judge:
    def judge(value: Any) -> bool:
        if type(value) is not list or not value:
            return False
        return all(map(one, value))

    return judge


def _single(element: elements.Element) -> Judge:
    if element.codes:
        codes = element.codes
        return codes.__contains__
    if element.type in _TEXTS:
        return PLAIN
    if element.type in _TOKENS:
        return NO_SPACES
    if element.type in CHECKS:
        return CHECKS[element.type]
    if element.type == "Resource":
        return _resource
    if element.type == "Reference":
        return _reference(element.targets)
    return _judge(element.type)


def _reference(targets: frozenset[str]) -> Judge:
    whole = _judge("Reference")
    allowed = targets or elements.resource_types()

    def judge(value: Any) -> bool:
        if not whole(value):
            return False
        text = value.get("reference")
        if text is None:
            return True
        kind, _, identity = text.partition("/")
        if kind in allowed and PLAIN_ID(identity):
            return True
        target = references.parse(text)
        return (
            target is not None
            and target.form in ("absolute", "urn")
            and (target.form == "absolute" or not target.type)
        )

    return judge
