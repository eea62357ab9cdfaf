"""One FHIR value over another: what is said replaces, what is not said stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .owning import Ownership
from .places import Json, includes
from .segments.rows import DATA_ABSENT


def over(before: Json, now: Json, owned: Ownership) -> Json:
    """An element over the one it changes: what v2 can say and no longer says goes, the rest stays."""
    result = dict(before)
    owned.clear(result, now)
    merged: Json = deep(result, now, owned.by_place)
    return merged


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
        say(result, name, value, by_place, f"{path}.{name}" if path else name)
    return result


def say(node: Json, name: str, value: Any, by_place: frozenset[str], path: str) -> None:
    """Say one element of a node that is one's own, over what it says there; ``path``: where that is."""
    if not said_already(node, name, value):
        node[name] = deep(node.get(name), value, by_place, path)
    if (beside := node.get(f"_{name}")) is not None and is_absent(beside):
        del node[f"_{name}"]


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
