"""Judging a profile: every fault of a file at once, also what only the maps can tell.

The maps come in as collections of names, so that this room need not know them: ``rows`` are the places
that the maps read or write (``PID-19``, ``PID-5.1``, ``MSH-5``), ``tables`` the code tables (``HL70001``),
``messages`` the messages that have a map (``ADT^A01``). What is None is not judged.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from connector.errors import ProfileError
from connector.profile.model import Profile
from connector.profile.reading import Document, Loc, sorted_faults
from connector.profile.verbs import Mapping


class _Doubt(NamedTuple):
    loc: Loc
    what: str
    fix: str


def check(
    path: str | Path,
    *,
    rows: Collection[str] | None = None,
    tables: Collection[str] | None = None,
    messages: Collection[str] | None = None,
) -> list[ProfileError]:
    """Every fault of the profile in a file, in the order of its lines; empty: there is none."""
    try:
        document = Document.open(Path(path), ProfileError)
    except ProfileError as error:
        return [error]
    return judged(document, rows=rows, tables=tables, messages=messages)


def judged(
    document: Document[ProfileError],
    *,
    rows: Collection[str] | None = None,
    tables: Collection[str] | None = None,
    messages: Collection[str] | None = None,
) -> list[ProfileError]:
    """Every fault of a profile that could be read, in the order of its lines."""
    found = document.read(Profile)
    if isinstance(found, list):
        return found
    doubts = _doubts(found, rows, tables, messages)
    return sorted_faults(document.fault(*doubt) for doubt in doubts)


def _doubts(
    profile: Profile,
    rows: Collection[str] | None,
    tables: Collection[str] | None,
    messages: Collection[str] | None,
) -> Iterator[_Doubt]:
    if rows is not None:
        yield from _unknown_places(profile.mapping, rows)
        yield from _places_said_already(profile.mapping, rows)
    if tables is not None:
        yield from _unknown_tables(profile.mapping, tables)
    if messages is not None:
        yield from _unknown_messages(profile, messages)


def _unknown_places(mapping: Mapping, rows: Collection[str]) -> Iterator[_Doubt]:
    for loc, place in _used(mapping):
        if not place.startswith("Z") and not any(_within(place, row) or _within(row, place) for row in rows):
            near = _near(place, rows, lambda name: f"did you mean {name}?")
            yield _Doubt(loc, f"the maps have no {place}", near or "leave it out: it is not translated")


def _used(mapping: Mapping) -> Iterator[tuple[Loc, str]]:
    yield from ((("mapping", "drop", n), place) for n, place in enumerate(mapping.drop))
    for verb in ("default", "constant", "move"):
        yield from ((("mapping", verb, place), place) for place in getattr(mapping, verb))
    yield from ((("mapping", "move", source), target) for source, target in mapping.move.items())


def _within(place: str, around: str) -> bool:
    return place == around or place.startswith((f"{around}.", f"{around}-"))


def _places_said_already(mapping: Mapping, rows: Collection[str]) -> Iterator[_Doubt]:
    for key, place in mapping.added():
        if any(_within(place, row) for row in rows):
            what = f"the maps translate {place} already"
            yield _Doubt(("mapping", *key), what, "name a place that they do not translate")


def _unknown_tables(mapping: Mapping, tables: Collection[str]) -> Iterator[_Doubt]:
    for name in mapping.codes:
        if name not in tables:
            near = _near(name, tables, lambda found: f"did you mean {found}?")
            yield _Doubt(("mapping", "codes", name), f"there is no code table {name}", near)


def _unknown_messages(profile: Profile, messages: Collection[str]) -> Iterator[_Doubt]:
    fix = f"the maps know {', '.join(sorted(messages))}"
    for number, message in enumerate(profile.v2.messages):
        if not any(_named(message, known) for known in messages):
            yield _Doubt(("v2", "messages", number), f"there is no map for {message}", fix)
    for change, event in profile.events.items():
        if event and event not in messages:
            yield _Doubt(("events", change), f"there is no map for {event}", fix)


def _named(message: str, known: str) -> bool:
    return message == known or (message.endswith("^*") and known.startswith(message[:-1]))


def _near(name: str, known: Collection[str], say: Callable[[str], str]) -> str:
    found = difflib.get_close_matches(name, known, 1, 0.7)
    return say(found[0]) if found else ""
