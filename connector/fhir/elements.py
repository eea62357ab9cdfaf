"""What elements the types of FHIR R4 have, as compiled by scripts/compile_fhir.py from the definitions."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import msgspec

_ROW: Final = re.compile(r"([A-Za-z0-9.]+)(?:\(([A-Za-z|]+)\))?([!*+]?)(?: =(\S+))?(?: ~(\w+))?\Z")


class Element(NamedTuple):
    """One element of a type."""

    path_name: str  # its name in FHIRPath: "value" for valueQuantity
    type: str  # a datatype, a backbone element ("Patient.contact"), or "Resource"
    targets: frozenset[str]  # what a Reference may refer to; empty: anything
    required: bool
    repeats: bool
    choice: str  # the shared name of a choice of types ("value"), "" when it is none
    codes: frozenset[str]  # the codes of a required binding; empty: not bound


class Shape(NamedTuple):
    """The elements of one type by their JSON names, and what must be there."""

    elements: dict[str, Element]
    required: dict[str, tuple[str, ...]]  # path name -> the JSON names of which one must be there


@cache
def _table() -> dict[str, Any]:
    source = resources.files("connector.fhir") / "elements.json"
    table: dict[str, Any] = msgspec.json.decode(source.read_bytes())
    return table


@cache
def resource_types() -> frozenset[str]:
    """The names of the resources of R4 that can exist (no abstract ones)."""
    return frozenset(_table()["resources"])


@cache
def shape(type_name: str) -> Shape | None:
    """The shape of a resource, a datatype or a backbone element; None for a primitive or unknown type."""
    rows = _table()["types"].get(type_name)
    if rows is None:
        return None
    elements = {name: _element(name, text) for name, text in rows.items()}
    required: dict[str, tuple[str, ...]] = {}
    for name, element in elements.items():
        if element.required:
            required[element.path_name] = (*required.get(element.path_name, ()), name)
    return Shape(elements, required)


def _element(name: str, text: str) -> Element:
    found = _ROW.match(text)
    if found is None:
        raise ValueError(f"elements.json: {name} has no row that can be read")
    kind, targets, mark, bound, choice = found.groups(default="")
    return Element(
        path_name=choice or name,
        type=kind,
        targets=frozenset(targets.split("|")) if targets else frozenset(),
        required=mark in ("!", "+"),
        repeats=mark in ("*", "+"),
        choice=choice,
        codes=frozenset(_table()["codes"][bound]) if bound else frozenset(),
    )
