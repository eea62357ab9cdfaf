"""The search parameters that the sandbox offers (FHIR R4, search.html), as one question on one resource."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

Resource = dict[str, Any]
_COMPARE: Final[dict[str, Callable[[dt.datetime, dt.datetime], bool]]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
}
REFERENCES: Final = ("subject", "patient", "encounter")


def matches(name: str, value: str, resource: Resource, at: str) -> bool | None:
    """Whether the resource (last updated ``at``) meets ``name=value``; None where that is not offered."""
    if name == "_id":
        return resource.get("id") in value.split(",")
    if name == "identifier":
        return any(_has_identifier(resource, token) for token in value.split(","))
    if name == "_lastUpdated":
        return _compares(value, at)
    if name in REFERENCES:
        return _refers(resource, name, value)
    return None


def _has_identifier(resource: Resource, token: str) -> bool:
    system, bar, value = token.partition("|")
    held = resource.get("identifier", [])
    for identifier in held if isinstance(held, list) else [held]:
        if not isinstance(identifier, dict):
            continue
        if not bar and identifier.get("value") == token:
            return True
        if bar and identifier.get("system", "") == system and value in ("", identifier.get("value")):
            return True
    return False


def _compares(value: str, at: str) -> bool | None:
    prefix, moment = (value[:2], value[2:]) if value[:2] in _COMPARE else ("eq", value)
    try:
        asked = dt.datetime.fromisoformat(moment)
    except ValueError:
        return None
    if asked.tzinfo is None:
        asked = asked.replace(tzinfo=dt.UTC)
    return _COMPARE[prefix](dt.datetime.fromisoformat(at), asked)


def _refers(resource: Resource, name: str, value: str) -> bool:
    names = ("patient", "subject") if name == "patient" else (name,)
    held = [resource.get(element) for element in names]
    pointed = {one.get("reference", "") for one in held if isinstance(one, dict)}
    return bool(pointed & {value, f"{name.title()}/{value}", f"Patient/{value}"})
