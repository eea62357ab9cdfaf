"""One FHIR value over another: what is said replaces, what is not said stays.

``owned`` are the paths of elements that v2 can say there (see ``Bound.elements``), ``marks`` the elements of
lists it can say, by path and constants (``extension`` by its URL).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .places import Json, copied, includes, place
from .segments.rows import DATA_ABSENT

Marks = Iterable[tuple[str, Mapping[str, Any]]]


def over(before: Json, now: Json, owned: Iterable[str], marks: Marks = ()) -> Json:
    """An element over the one it changes: what v2 can say and no longer says goes, the rest stays."""
    result = copied(before)
    paths = set(owned)
    clear(result, now, paths, marks)
    merged: Json = deep(result, now, indexed(paths))
    return merged


def clear(result: Json, now: Json, owned: Iterable[str], marks: Marks) -> None:
    """Take out of a copy what v2 owns and ``now`` does not say."""
    marks = list(marks)
    companions = {path.partition(".")[0] for path, _ in marks}
    for path in owned:
        if path in companions or path.rpartition(".")[2] == "extension":
            continue  # whose elements are known by marks
        if place(path)[0](now) is None:
            remove(result, path)
    for path, mark in marks:
        reader, writer = place(path)
        there = reader(result)
        if isinstance(there, list) and not any(includes(one, mark) for one in reader(now) or ()):
            kept = [one for one in there if not includes(one, mark)]
            writer(result, kept)
            if not kept:
                remove(result, path)


def remove(node: Any, path: str) -> None:
    """Take out the element at a path, and what is empty without it."""
    name, _, rest = path.partition(".")
    key: Any = int(name) if name.isdigit() else name
    try:
        inner = node[key]
    except (KeyError, IndexError, TypeError):
        return
    if rest:
        remove(inner, rest)
    if not rest or inner in ({}, []):
        del node[key]


def indexed(paths: Iterable[str]) -> frozenset[str]:
    """The lists in which v2 owns elements by their place: ``class`` of ``class.0.value``."""
    return frozenset().union(*map(_indexed, paths))


@lru_cache(maxsize=4096)
def _indexed(path: str) -> frozenset[str]:
    steps = path.split(".")
    return frozenset(".".join(steps[:at]) for at, step in enumerate(steps) if step.isdigit())


def deep(before: Any, now: Any, by_place: frozenset[str] = frozenset(), path: str = "") -> Any:
    """A value over another; ``by_place``: the lists whose elements go over those at the same place."""
    if isinstance(before, dict) and isinstance(now, dict):
        return _node(before, now, by_place, path)
    if isinstance(before, list) and isinstance(now, list):
        return _list(before, now, by_place, path)
    return now


def _node(before: Json, now: Json, by_place: frozenset[str], path: str) -> Json:
    if "reference" in now:
        return before if before.get("reference") == now["reference"] else now
    if is_absent(before):
        return now
    result = dict(before)
    for name, value in now.items():
        if not said_already(result, name, value):
            within = f"{path}.{name}" if path else name
            result[name] = deep(result.get(name), value, by_place, within)
        if f"_{name}" in result and is_absent(result[f"_{name}"]):
            del result[f"_{name}"]
    return result


def said_already(node: Json, name: str, value: Any) -> bool:
    """Whether a value only says that something is not known, and a node knows it."""
    return is_absent(value) and (name in node or name.removeprefix("_") in node)


def is_absent(value: Any) -> bool:
    """Whether all that a value says is why it is absent."""
    if isinstance(value, list):
        return bool(value) and all(map(is_absent, value))
    if not isinstance(value, dict) or not value:
        return False
    extensions = value.get("extension")
    if value.keys() == {"extension"} and isinstance(extensions, list):
        return [one.get("url") for one in extensions if isinstance(one, dict)] == [DATA_ABSENT]
    return all(map(is_absent, value.values()))


def _list(before: list[Any], now: list[Any], by_place: frozenset[str], path: str) -> list[Any]:
    if not all(isinstance(one, dict) for one in (*before, *now)):
        return now
    if path.rpartition(".")[2] == "extension":
        urls = {one.get("url") for one in now}
        return [*(one for one in before if one.get("url") not in urls), *now]
    if all(any(_stands_for(one, other) for one in before) for other in now):
        return before
    if path not in by_place:
        return now
    both = [deep(one, other, by_place, f"{path}.{at}") for at, (one, other) in enumerate(zip(before, now))]
    return both + before[len(now) :] + now[len(before) :]


def _stands_for(one: Json, other: Json) -> bool:
    if "reference" in other:
        return bool(one.get("reference") == other["reference"])
    return includes(one, other)


def united(before: Sequence[Any], now: Sequence[Any], link: str = "") -> list[Any]:
    """Two lists of references, or of elements that refer by ``link``; each thing once."""
    there = [refers(one, link) for one in before]
    return [*before, *(one for one in now if refers(one, link) not in there)]


def refers(element: Any, link: str) -> str:
    """To what an element of such a list refers."""
    reference = element.get(link, {}) if link and isinstance(element, dict) else element
    return str(reference.get("reference", "")) if isinstance(reference, dict) else ""
