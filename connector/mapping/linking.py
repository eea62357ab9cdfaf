"""Resources that refer to each other: two records of one patient, a retired one and the one in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .overlay import refers, united
from .places import Json, includes, place
from .units import Mutual


class Linked(NamedTuple):
    """One side of two resources that refer to each other: what the elements here say, and to whom."""

    mutual: Mutual
    says: Mapping[str, Any]
    other: str


def sides(mutual: Mutual, reference: str, other: str) -> dict[str, Linked]:
    """Both sides by the reference of the resource; none where there is no other one."""
    if not other or other == reference:
        return {}
    return {reference: Linked(mutual, mutual.here, other), other: Linked(mutual, mutual.there, reference)}


def link(resources: Mapping[str, Json], mutual: Mutual, reference: str, other: str) -> None:
    """Let two resources refer to each other, unless v2 says that they do no longer."""
    if mutual.ended:
        return
    for name, linked in sides(mutual, reference, other).items():
        reader, writer = place(mutual.path)
        element = {mutual.link: {"reference": linked.other}, **linked.says}
        there = reader(resources[name]) or []
        if element not in there:
            writer(resources[name], [*there, element])


def places(
    resources: Mapping[str, Json], mutual: Mutual, reference: str, other: str
) -> Iterator[tuple[str, str]]:
    """Where two resources refer to each other: by reference, the path in it."""
    for name, linked in sides(mutual, reference, other).items():
        for n, one in enumerate(place(mutual.path)[0](resources[name]) or ()):
            if refers(one, mutual.link) == linked.other and includes(one, linked.says):
                yield name, f"{mutual.path}[{n}].{mutual.link}.reference"


def over(before: list[Json], now: list[Json], linked: Linked) -> list[Json]:
    """The list as it stands, with what this message says of it."""
    mutual = linked.mutual
    if not mutual.ended:
        return united(before, now, mutual.link)
    return [
        one for one in before if not (refers(one, mutual.link) == linked.other and includes(one, linked.says))
    ]


def other_of(mutual: Mutual, resource: Json) -> str:
    """To whom a resource refers in this way; empty where to nobody."""
    elements = place(mutual.path)[0](resource) or ()
    return next((refers(one, mutual.link) for one in elements if includes(one, mutual.here)), "")
