"""Elements of a list that segments say: which go on saying which, and which segments are new or gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .compiled import BoundPart, BoundUnit
from .places import Json, same
from .work import Work


class Placed(NamedTuple):
    """The elements of a parent's list as a unit's segments say them.

    ``homes``: by instance of the prior message; ``new``: those that no segment says yet.
    """

    homes: dict[int, Json]
    new: list[Json]


def placed(work: Work, unit: BoundUnit, parent: int) -> Placed:
    """Elements to the segments that said the same, else to those with the same key, else in their order."""
    part = unit.slots[0].part
    assert part is not None  # noqa: S101 - the caller has looked
    resource = work.target.resolve({"reference": work.layout.reference(parent)}) or {}
    wanted = [one for one in part.reader(resource) or () if isinstance(one, dict) and part.declared.only(one)]
    views = _views(work, unit, part, parent)
    homes: dict[int, Json] = {}
    rest = _matched(wanted, views, homes, same)
    if part.keys:
        rest = _matched(rest, views, homes, lambda one, view: _same_key(part, one, view))
    else:
        left = [n for n in views if n not in homes]
        homes.update(zip(left, rest))
        rest = rest[len(left) :]
    return Placed(homes, rest)


def _views(work: Work, unit: BoundUnit, part: BoundPart, parent: int) -> dict[int, Json]:
    """What each of the unit's instances in the prior message said."""
    return {
        n: spoken.nodes[0]
        for n, spoken in enumerate(work.before.spoken)
        if work.maps.units[spoken.instance.unit] is unit
        and spoken.instance.parents.get(part.declared.parent) == parent
        and spoken.nodes[0]
    }


def _matched(
    wanted: list[Json], views: dict[int, Json], homes: dict[int, Json], alike: Callable[[Json, Json], bool]
) -> list[Json]:
    """Give elements to the first free instance that is alike; those for which there is none."""
    rest: list[Json] = []
    for one in wanted:
        n = next((n for n, view in views.items() if n not in homes and alike(one, view)), None)
        if n is None:
            rest.append(one)
        else:
            homes[n] = one
    return rest


def _same_key(part: BoundPart, one: Json, view: Json) -> bool:
    mark = [reader(one) for reader in part.keys]
    return any(value is not None for value in mark) and same(mark, [reader(view) for reader in part.keys])
