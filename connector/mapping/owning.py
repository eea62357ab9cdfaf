"""What v2 can say of a FHIR node, worked out once for all messages; what goes when v2 no longer says it.

A node that is changed here is one's own at the top only: what is in it may be others', and is copied before
anything is taken out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from .places import Json, copied, head, includes, place

Marks = Iterable[tuple[str, Mapping[str, Any]]]


class Ownership:
    """``paths``: of the elements that v2 can say; ``marks``: the elements of lists, by path and constants.

    ``heads``: the first names of the paths; ``by_place``: see ``indexed``.
    """

    __slots__ = ("_alone", "_marked", "_readers", "by_place", "heads")

    def __init__(self, paths: Iterable[str], marks: Marks = ()) -> None:
        paths = sorted(set(paths))
        self._marked = [(path, place(path)[0], mark) for path, mark in marks]
        companions = {head(path) for path, *_ in self._marked}
        self._readers = [place(path)[0] for path in paths]
        self._alone = [
            (path, head(path), place(path)[0])
            for path in paths
            if path not in companions and path.rpartition(".")[2] != "extension"  # which are known by marks
        ]
        self.heads = frozenset(map(head, paths))
        self.by_place = indexed(paths)

    def said(self, node: Json) -> bool:
        """Whether a node says any of it."""
        for reader in self._readers:
            if reader(node) is not None:
                return True
        return any(includes(one, mark) for _, reader, mark in self._marked for one in reader(node) or ())

    def clear(self, node: Json, now: Json) -> None:
        """Take out of a node what v2 can say and ``now`` does not."""
        for path, first, reader in self._alone:
            if first in node and reader(now) is None:
                remove(node, path)
        for path, reader, mark in self._marked:
            there = reader(node)
            if isinstance(there, list) and not any(includes(one, mark) for one in reader(now) or ()):
                write(node, path, [one for one in there if not includes(one, mark)])


def remove(node: Any, path: str) -> None:
    """Take out the element at a path, and what is empty without it."""
    name, _, rest = path.partition(".")
    key: Any = int(name) if name.isdigit() else name
    try:
        inner = node[key]
    except (KeyError, IndexError, TypeError):
        return
    if rest and isinstance(inner, (dict, list)):
        inner = node[key] = inner.copy()
        remove(inner, rest)
    if not rest or inner in ({}, []):
        del node[key]


def write(node: Json, path: str, elements: list[Any]) -> None:
    """Set the list at a path; an empty one is taken out."""
    reader, writer = place(path)
    if not elements:
        if reader(node) is not None:
            remove(node, path)
        return
    first = head(path)
    if first != path and first in node:
        node[first] = copied(node[first])
    writer(node, elements)


def indexed(paths: Iterable[str]) -> frozenset[str]:
    """The lists in which v2 owns elements by their place: ``class`` of ``class.0.value``."""
    return frozenset().union(*map(_indexed, paths))


@lru_cache(maxsize=4096)
def _indexed(path: str) -> frozenset[str]:
    steps = path.split(".")
    return frozenset(".".join(steps[:at]) for at, step in enumerate(steps) if step.isdigit())
