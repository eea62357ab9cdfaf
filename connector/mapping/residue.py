"""What one side does not say of the other, found by reading back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .places import Json, same

# What a server or a transport says about a resource, not the resource itself.
_ENVELOPE = frozenset({"id", "meta", "text", "implicitRules"})


def unsaid(
    wanted: Mapping[str, Json], got: Mapping[str, Json], standing: frozenset[str] = frozenset()
) -> list[str]:
    """The paths of the wanted resources that the others, by reference, do not say.

    ``standing``: those of the others that were there before, and do not speak for a wanted one.
    """
    lost: list[str] = []
    free = {name: resource for name, resource in got.items() if name not in wanted and name not in standing}
    kinds = [resource.get("resourceType", "") for resource in wanted.values()]
    counts: dict[str, int] = {}
    for reference, resource in wanted.items():
        kind = str(resource.get("resourceType", ""))
        at = counts[kind] = counts.get(kind, -1) + 1
        name = f"{kind}[{at}]" if kinds.count(kind) > 1 else kind
        mine = _content(resource)
        if reference in got:
            lost += residue(mine, _content(got[reference]), name)
            continue
        lost += _best(mine, free, kind, name)
    return lost


def _best(mine: Json, free: dict[str, Json], kind: str, name: str) -> list[str]:
    """Against the resource of the same kind that says the most of it."""
    ways = {
        reference: residue(mine, _content(other), name)
        for reference, other in free.items()
        if other.get("resourceType") == kind
    }
    if not ways:
        return [name]
    best = min(ways, key=lambda reference: len(ways[reference]))
    free.pop(best)
    return ways[best]


def _content(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name not in _ENVELOPE}


def residue(wanted: Any, got: Any, path: str) -> list[str]:
    """The paths of a value that another does not say; the order of objects in a list has no meaning."""
    if isinstance(wanted, dict):
        if "reference" in wanted and isinstance(got, dict):
            named = "reference" not in got and wanted.get("identifier", {}) == got.get("identifier")
            return [] if named or _kind(wanted) == _kind(got) else [path]
        other = got if isinstance(got, dict) else {}
        return [
            at for name, value in wanted.items() for at in residue(value, other.get(name), f"{path}.{name}")
        ]
    if isinstance(wanted, list) and any(isinstance(value, dict) for value in wanted):
        return _list_residue(wanted, got if isinstance(got, list) else [], path)
    return [] if same(wanted, got) else [path]


def _kind(reference: Json) -> str:
    return str(reference.get("reference", "")).rpartition("/")[0].rpartition("/")[2]


def _list_residue(wanted: list[Any], got: list[Any], path: str) -> list[str]:
    free = list(got)
    rest: list[tuple[int, Any]] = []
    for at, value in enumerate(wanted):
        equal = next((n for n, other in enumerate(free) if same(other, value)), None)
        if equal is None:
            rest.append((at, value))
        else:
            free.pop(equal)
    lost: list[str] = []
    for at, value in rest:
        ways = [residue(value, other, f"{path}[{at}]") for other in free]
        if not ways:
            lost.append(f"{path}[{at}]")
            continue
        best = min(range(len(ways)), key=lambda n: len(ways[n]))
        lost += ways[best]
        free.pop(best)
    return lost
