"""The elements of one list over those that stand there: which of them fields said, claim, or leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .fields import STRONGEST, BoundField
from .overlay import over
from .places import Json, includes, same


class Speaker(Protocol):
    """A unit of the message that speaks of a resource."""

    @property
    def deleted(self) -> set[tuple[str, int]]:
        """The fields that were sent as ``""``."""
        ...

    def says(self, bound: BoundField) -> bool:
        """Whether a field was sent."""
        ...

    def deletes(self, bound: BoundField) -> bool:
        """Whether a field was sent as ``""``."""
        ...


def elements(
    fields: Sequence[BoundField], there: list[Json], wanted: list[Json], speaker: Speaker
) -> list[Json]:
    """A list's elements: those that were said (``wanted``), and the prior ones that no sent field claims."""
    if not speaker.deleted and (not wanted or wanted == there):
        return there
    if not there:
        return wanted
    preferred = sorted(fields, key=lambda one: one.preference)
    owners = {id(element): _owner(preferred, element) for element in (*wanted, *there)}
    makers = {id(owner) for element in wanted if (owner := owners[id(element)]) is not None}
    sent = [
        one for one in fields if speaker.deletes(one) or (speaker.says(one) and _made(one, makers, wanted))
    ]
    claimed = [one for one in there if owners[id(one)] in sent]
    silent = [one for one in there if not any(one is other for other in claimed)]
    said: list[Json] = []
    places: list[int] = []
    for element in wanted:
        owner = owners[id(element)]
        like = _like(element, claimed, silent, owner)
        said.append(_over(element, like, owner) if like is not None else element)
        places.append(next((at for at, one in enumerate(there) if one is like), -1))
        for waiting in (claimed, silent):
            waiting[:] = [one for one in waiting if one is not like]
    return _in_order(there, said, silent, places)


def _made(bound: BoundField, makers: set[int], wanted: list[Json]) -> bool:
    """Whether a sent field said anything: what it could not say changes nothing."""
    return id(bound) in makers or any(bound.claims(element) for element in wanted)


def _owner(preferred: Sequence[BoundField], element: Json) -> BoundField | None:
    """The field that would take an element on the way back; of equal claims the preferred one's."""
    strongest, owner = 0, None
    for each in preferred:
        claim = each.claims(element)
        if claim == STRONGEST:
            return each
        if claim > strongest:
            strongest, owner = claim, each
    return owner


def _like(element: Json, claimed: list[Json], silent: list[Json], owner: BoundField | None) -> Json | None:
    """The prior element that stands for the same thing: it says the same, or has the same key."""
    for one in (*claimed, *silent):
        if includes(one, element):
            return one
    if owner is not None and owner.key:
        mark = [reader(element) for reader in owner.key]
        for one in claimed:
            if all(same(reader(one), value) for reader, value in zip(owner.key, mark)):
                return one
    return next((one for one in silent if includes(element, one)), None)


def _over(element: Json, like: Json, owner: BoundField | None) -> Json:
    if owner is None:
        return element
    return like if same(element, like) else over(like, element, owner.owned)


def _in_order(there: list[Json], said: list[Json], silent: list[Json], places: list[int]) -> list[Json]:
    """What was said in its own order (where it stood, if that is its order), and what was not behind it."""
    ranks = [(at, 0) for at in places]
    if -1 in places or places != sorted(places):
        ranks = [(at, n) for n, at in enumerate(_rising(places))]
    both = [*zip(ranks, said), *(((_index(there, one), -1), one) for one in silent)]
    return [one for _, one in sorted(both, key=lambda pair: pair[0])]


def _rising(places: list[int]) -> list[int]:
    """Places that rise: a new element, or one that moved, stands behind the one it was said after."""
    found: list[int] = []
    for at in places:
        found.append(max(at, found[-1] if found else 0))
    return found


def _index(there: list[Json], one: Json) -> int:
    return next(at for at, other in enumerate(there) if other is one)
