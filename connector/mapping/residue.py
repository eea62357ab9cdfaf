"""What one side does not say of the other, found by reading back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .aside import Aside
from .places import Json, same

# What a server or a transport says about a resource, not the resource itself.
_ENVELOPE = frozenset({"id", "meta", "text", "implicitRules"})


def unsaid(
    wanted: Mapping[str, Json],
    got: Mapping[str, Json],
    standing: frozenset[str] = frozenset(),
    aside: Mapping[str, Aside] = MappingProxyType({}),
) -> list[str]:
    """The paths of the wanted resources that the others, by reference, do not say.

    ``standing``: those of the others that were there before, and do not speak for a wanted one. ``aside``:
    where wanted resources stood, if not by themselves.
    """
    names = _names(wanted, aside)
    free = {name: resource for name, resource in got.items() if name not in wanted and name not in standing}
    chosen = {reference: got[reference] for reference in wanted if reference in got}
    chosen |= _matched({reference: one for reference, one in wanted.items() if reference not in got}, free)
    lost: list[str] = []
    for reference, resource in wanted.items():
        mine, found = _content(resource), chosen.get(reference)
        apart = aside.get(reference, Aside())
        lost += _paths(mine, found, names[reference], apart)
        lost += [f"{names[reference]}.{element}" for element in apart.lost]
    return list(dict.fromkeys(lost))


def _names(wanted: Mapping[str, Json], aside: Mapping[str, Aside]) -> dict[str, str]:
    """What each resource is called: ``Observation[1]`` where there are several of a kind."""
    own = [reference for reference in wanted if not aside.get(reference, Aside()).inside]
    kinds = [str(wanted[reference].get("resourceType", "")) for reference in own]
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for reference, kind in zip(own, kinds):
        at = counts[kind] = counts.get(kind, -1) + 1
        names[reference] = f"{kind}[{at}]" if kinds.count(kind) > 1 else kind
    for reference in wanted:
        inside, path = [], reference
        while path not in names:
            inside.append(aside[path].path)
            path = aside[path].inside
        names.setdefault(reference, ".".join((names[path], *reversed(inside))))
    return names


def _matched(wanted: Mapping[str, Json], free: Mapping[str, Json]) -> dict[str, Json]:
    """To each, the one of its kind that says the most of it; to those first of whom the most is said."""
    ways = sorted(
        (len(unsaid_here), reference, name)
        for reference, resource in wanted.items()
        for mine in [_content(resource)]
        for nothing in [len(residue(mine, {}, ""))]
        for name, other in free.items()
        if other.get("resourceType") == resource.get("resourceType")
        for unsaid_here in [residue(mine, _content(other), "")]
        if len(unsaid_here) < nothing
    )
    found: dict[str, Json] = {}
    taken: set[str] = set()
    for _, reference, name in ways:
        if reference not in found and name not in taken:
            found[reference] = free[name]
            taken.add(name)
    return found


def _paths(mine: Json, found: Json | None, name: str, aside: Aside) -> list[str]:
    """What of a resource is not said; all of it in one word where nothing is."""
    rest = {key: value for key, value in mine.items() if key not in aside.silent}
    if found is None and not aside.elements and rest == mine:
        return [name]
    other = _content(found or {})
    if not aside.elements:
        return [at for at in residue(rest, other, name) if at != f"{name}.resourceType"]
    lost: list[str] = []
    for element, called in aside.elements.items():
        if element in rest:
            paths = residue(rest[element], other.get(element), f"{name}.{called}")
            lost += paths if called == element else [f"{name}.{called}"] * bool(paths)
    return lost


def _content(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name not in _ENVELOPE}


def residue(wanted: Any, got: Any, path: str) -> list[str]:
    """The paths of a value that another does not say; the order of objects in a list has no meaning."""
    if isinstance(wanted, dict):
        if "reference" in wanted and isinstance(got, dict):
            number = got.get("identifier") if "reference" not in got else None
            named = number and (wanted.get("identifier") == number or got.get("type") == _kind(wanted))
            return [] if named or _kind(wanted) == _kind(got) else [path]
        if "reference" in wanted:
            return [path]
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
