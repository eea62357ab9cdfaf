"""Whether a resource has the form of R4: objects, arrays and texts where R4 has them.

Far less than ``validate`` asks, and far quicker: nothing is required here, codes may be any, and elements
that R4 does not know are left alone. What has this form can be read without surprises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, Final

from connector.errors import InvalidResource
from connector.fhir.elements import shape

DEPTH: Final = 64  # objects within objects; R4's own resources have at most a dozen

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUMBERS: Final = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
_Check = Callable[[Any, str, int], None]


def check(resource: dict[str, Any], path: str = "") -> None:
    """Raises ``InvalidResource`` with the FHIRPath of the first element that has another form than in R4."""
    kind = str(resource.get("resourceType"))
    _node(resource, kind, path or kind, 0)


def _node(node: dict[str, Any], kind: str, path: str, depth: int) -> None:
    if depth > DEPTH:
        raise InvalidResource("the element is nested too deeply", fix="send less of it", location=path)
    known = _checks(kind)
    for name, value in node.items():
        found = known.get(name)
        if found is not None:
            found(value, f"{path}.{name}", depth)


@cache
def _checks(kind: str) -> dict[str, _Check]:
    """By the name of an element of a type, what judges it."""
    known = shape(kind)
    found: dict[str, _Check] = {}
    for name, element in (known.elements if known else {}).items():
        one = _one(element.type)
        found[name] = _several(one) if element.repeats else one
        if shape(element.type) is None and element.type != "Resource":
            found[f"_{name}"] = _several(_object("Element")) if element.repeats else _object("Element")
    return found


def _one(kind: str) -> _Check:
    if kind == "Resource":
        return _resource
    return _primitive(kind) if shape(kind) is None else _object(kind)


def _several(one: _Check) -> _Check:
    def judge(value: Any, path: str, depth: int) -> None:
        if not isinstance(value, list):
            raise InvalidResource("the element repeats: an array is asked for", location=path)
        for at, each in enumerate(value):
            if each is not None:
                one(each, f"{path}[{at}]", depth)

    return judge


def _resource(value: Any, path: str, depth: int) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise InvalidResource("a resource is asked for", location=path)
    _node(value, value["resourceType"], path, depth + 1)


def _object(kind: str) -> _Check:
    def judge(value: Any, path: str, depth: int) -> None:
        if not isinstance(value, dict):
            raise InvalidResource("an object is asked for", location=path)
        _node(value, kind, path, depth + 1)

    return judge


def _primitive(kind: str) -> _Check:
    types: tuple[type, ...] = (bool,) if kind == "boolean" else (int, float, Decimal)
    if kind != "boolean" and kind not in _NUMBERS:
        types = (str,)

    def judge(value: Any, path: str, depth: int) -> None:
        if not isinstance(value, types) or (kind in _NUMBERS and isinstance(value, bool)):
            raise InvalidResource(f"not the form of the datatype {kind}", location=path)
        if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            raise InvalidResource("half a character", fix="escape it as a pair of surrogates", location=path)

    return judge
