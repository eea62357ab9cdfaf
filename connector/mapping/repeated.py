"""Lists whose elements are segments, over those that stand there."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from .compiled import BoundSegments
from .places import Json, head, includes, place


def over(rows: BoundSegments, before: Json, now: Json) -> list[Json]:
    """The list: the elements that v2 could have said are said anew."""
    there, wanted = _list(before, rows.path), _list(now, rows.path)
    owned = {head(path) for path in rows.lens.elements}
    if not wanted or all(any(includes(one, new) for one in there) for new in wanted):
        return there
    return [*(one for one in there if not one.keys() <= owned), *wanted]


def first_only(
    now: Json, before: Json, said: Iterable[tuple[BoundSegments, bool]]
) -> tuple[Json, Json, dict[str, list[Json]]]:
    """Without the elements behind the first of lists of which fields say the first; and those elements.

    They are said anew where the message has (``True``) such segments.
    """
    behind = {rows.path: _list(now if anew else before, rows.path)[1:] for rows, anew in said if rows.further}
    if behind:
        now, before = deepcopy(now), deepcopy(before)
    for path in behind:
        for node in (now, before):
            del _list_itself(node, path)[1:]
    return now, before, behind


def _list_itself(node: Json, path: str) -> list[Json]:
    found = place(path)[0](node)
    return found if isinstance(found, list) else []


def _list(node: Json, path: str) -> list[Json]:
    return [one for one in _list_itself(node, path) if isinstance(one, dict)]
