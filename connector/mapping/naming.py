"""How people name both sides of a row: ``PID-5 XPN.1`` and ``HumanName.family``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..fhir import elements
from ..hl7v2 import definitions
from .places import Json


def names_of(resources: Mapping[str, Json]) -> dict[str, str]:
    """For each reference ``Patient``, or ``Observation[2]`` where there are several (counted from 0)."""
    kinds = [resource["resourceType"] for resource in resources.values()]
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for reference, kind in zip(resources, kinds):
        at = counts[kind] = counts.get(kind, -1) + 1
        names[reference] = f"{kind}[{at}]" if kinds.count(kind) > 1 else kind
    return names


def v2_place(segment: str, place: str, version: str) -> str:
    """``PID``, ``-5.1`` as ``PID-5 XPN.1``; where the standard does not know the field, ``ZPI-5.1``."""
    number, _, part = place[1:].partition(".")
    known = definitions.field(segment, int(number), definitions.nearest(version))
    if known is None:
        return f"{segment}{place}"
    inside = f".{part}" if part and definitions.component(known.datatype, 1, version) else ""
    return f"{segment}-{number} {known.datatype}{inside}"


def fhir_place(kind: str, row_path: str, inside: str, reference: str = "") -> str:
    """What a row says as ``HumanName.family``: the type at the row's path, and the path within it.

    ``reference``: to the resource the path is in, where that is one that the row refers to.
    """
    path = re.sub(r"\[\d+\]", "", inside)
    if reference:
        return f"{reference.partition('/')[0]}.{path}"
    steps = [step for step in re.split(r"[.\[\]]+", row_path) if step and not step.isdigit()]
    at = kind
    for n, step in enumerate(steps):
        found = elements.shape(at)
        known = found.elements.get(step) if found else None
        if known is None or elements.shape(known.type) is None:
            return ".".join((at, *steps[n:], path)).rstrip(".")
        at = known.type
    return f"{at}.{path}" if path else at
