"""Which messages an operator means: links and directions by name, and states as they are shown."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

from connector.profile import Profile
from connector.store import Delivery, Direction, Filter, State

Way = tuple[str, Direction]

_OF_MESSAGES: Final = frozenset({Delivery.DELIVERED, Delivery.REPLACED})  # meant of received messages


def ways(profiles: Sequence[Profile], link: str | None = None, target: str | None = None) -> list[Way]:
    """The links and directions (``fhir``, ``v2``, ``answer``) that are meant; all where none is named."""
    return [
        (profile.name, Direction(way))
        for profile in profiles
        for way in (*profile.directions, *(["answer"] if "to_fhir" in profile.directions else []))
        if link in (None, profile.name) and target in (None, way.removeprefix("to_"))
    ]


def filters(
    meant: Iterable[Way],
    state: str,
    *,
    reason: str = "",
    kind: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> list[Filter]:
    """The filters for each link and direction: of received messages, of made ones, or (dead) of both."""
    found = []
    for way in meant:
        by = Filter(*way, reason=reason, kind=kind, since=since, until=until)
        if state in set(State):
            found.append(dataclasses.replace(by, state=State(state)))
        if state in set(Delivery) - _OF_MESSAGES:
            found.append(dataclasses.replace(by, delivery=Delivery(state)))
    return found
