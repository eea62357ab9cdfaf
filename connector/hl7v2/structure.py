"""Which group of its message structure each segment belongs to (HL7 v2.5.1 section 2.6, 2.12).

The standard's grammar is followed where the sender follows it. Where the sender does not, nothing is
refused and nothing disappears: a segment out of order goes to the open group that has a place for it, an
unknown one stays with the segment before it, and both are marked as not expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Final, NamedTuple

from connector.hl7v2 import definitions
from connector.hl7v2.definitions import field_name
from connector.hl7v2.events import STRUCTURES, USUAL_EVENTS
from connector.hl7v2.tree import Message, Segment

__all__ = ["Group", "Part", "Place", "Structure", "assign", "field_name", "gaps", "groups", "missing", "of"]

_CACHED_LENGTH: Final = 256  # longer messages are rarely alike, and would fill the memory

_OWN_STRUCTURES: Final = ("2.1", "2.2")  # every event has its own

_PRIOR_RESULT: Final = (
    "PRIOR_RESULT"  # begins with its own PID here, or every next order would be a prior one
)

Path = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A segment or a group in a structure.

    ``name``: of a group, without the structure's own (``ORDER_OBSERVATION``); ``parts``: of a group;
    ``choice``: one of the parts, not all; ``starts``: segments it may begin with, where the sender keeps to
    the standard; ``holds``: all segments that may stand anywhere in it.
    """

    name: str
    required: bool = True
    repeats: bool = False
    parts: tuple[Part, ...] = ()
    choice: bool = False
    starts: frozenset[str] = field(init=False)
    holds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        own = frozenset() if self.parts else frozenset({self.name})
        object.__setattr__(self, "starts", own.union(*(part.starts for part in self._leading())))
        object.__setattr__(self, "holds", own.union(*(part.holds for part in self.parts)))

    @property
    def may_be_empty(self) -> bool:
        """A group of nothing but optional parts, or a part that is optional itself."""
        if not self.required:
            return True
        some = any if self.choice else all
        return bool(self.parts) and some(part.may_be_empty for part in self.parts)

    def _leading(self) -> Iterator[Part]:
        for part in self.parts:
            yield part
            if not self.choice and not part.may_be_empty:
                return


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A message structure such as ``ORU_R01`` of one version; ``root`` holds its parts."""

    name: str
    version: str
    root: Part


class Place(NamedTuple):
    """Where a segment belongs: groups from the outside in, each with its number among its like, from 1.

    ``expected``: whether the standard allows it to stand where it stands.
    """

    group_path: Path
    expected: bool


@dataclass(slots=True)
class Group:
    """A group of a message as it was sent: its segments and groups in order of their first arrival."""

    name: str
    number: int
    members: list[Segment | Group]

    def segments(self) -> Iterator[Segment]:
        """The segments in it and in its groups."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.segments()
            else:
                yield member


@lru_cache(maxsize=1024)
def of(version: str, message_code: str, event: str, structure: str = "") -> Structure | None:
    """The structure of a message by MSH-12, MSH-9.1, MSH-9.2 and, where these say too little, MSH-9.3.

    Senders often err in MSH-9.3, so the event decides where it is known. A version that lacks the structure
    borrows it from the nearest one that has it; an event nobody knows gets the usual structure of its code.
    None where the code is not known either.
    """
    code, _, rest = message_code.partition("_")
    exact = f"{code}_{event or rest}"
    shared = STRUCTURES.get(exact, "")
    first = (exact, shared) if definitions.nearest(version) in _OWN_STRUCTURES else (shared, exact)
    for names in (first, (structure,), (USUAL_EVENTS.get(code, ""), code)):
        for known in definitions.by_nearness(version):
            found = definitions.of(known)["messages"]
            name = next((name for name in names if name in found), "")
            if name:
                return _compiled(known, name)
    return None


def assign(structure: Structure, names: tuple[str, ...]) -> tuple[Place, ...]:
    """The place of every segment, in order; ``names`` are the names of the message's segments."""
    return _cached(structure, names) if len(names) <= _CACHED_LENGTH else _assigned(structure, names)


def groups(message: Message) -> Group:
    """The message as a tree of groups, for people and tests; a message of unknown kind is one flat group."""
    found = of(message.version, message.message_code, message.trigger_event, message.structure)
    root = Group(found.name if found else "", 1, [])
    opened: dict[Path, Group] = {(): root}
    places = assign(found, tuple(segment.name for segment in message.segments)) if found else ()
    for segment, place in zip(message.segments, places or [Place((), False)] * len(message.segments)):
        _opened(opened, place.group_path).members.append(segment)
    return root


def missing(structure: Structure, names: tuple[str, ...]) -> tuple[str, ...]:
    """Required segments, of the groups that are there or must be, that are nowhere in the message."""
    return _missed(structure, names) if len(names) <= _CACHED_LENGTH else _missing(structure, names)


def gaps(structure: Structure, names: tuple[str, ...], name: str) -> list[int]:
    """Where a required segment that is nowhere in a message belongs: the positions before which it stands.

    One in every group that is there and demands it, behind what stands before it in that group; a demanded
    group that begins with it is begun with it.
    """
    places = assign(structure, names)
    found: list[int] = []
    for path, group, slot in _demanding(structure.root, (), name):
        if slot != name and any(
            _steps(place.group_path)[: len(path) + 1] == (*path, slot) for place in places
        ):
            continue
        order = {part.name: rank for rank, part in enumerate(group.parts)}
        rows: dict[Path, list[int]] = {}
        for at, place in enumerate(places):
            there = place.group_path
            if _steps(there[: len(path)]) == path:
                inner = there[len(path)][0] if len(there) > len(path) else names[at]
                last = rows.setdefault(there[: len(path)], [])
                if order.get(inner, len(order)) < order[slot]:
                    last.append(at)
        found += [max(before) + 1 for before in rows.values() if before]
    return found


def _steps(path: Path) -> tuple[str, ...]:
    return tuple(step for step, _ in path)


def _demanding(part: Part, path: tuple[str, ...], name: str) -> Iterator[tuple[tuple[str, ...], Part, str]]:
    """The groups that demand a segment, with their paths, and by which of their parts."""
    for one in part.parts:
        if one.name == name and one.required and not one.parts:
            yield path, part, name
        elif one.parts:
            if one.required and one.parts[0].required and one.parts[0].name == name:
                yield path, part, one.name
            yield from _demanding(one, (*path, one.name), name)


# --- compiling ----------------------------------------------------------------------------------------


@cache
def _compiled(version: str, name: str) -> Structure:
    found = definitions.of(version)
    return Structure(name, version, _part(name, "", found["messages"][name], found["groups"], f"{name}_"))


def _part(name: str, mark: str, text: str, known: dict[str, str], prefix: str) -> Part:
    choice = text.startswith("| ")
    parts = []
    for word in text.removeprefix("| ").split():
        inner = word.rstrip("?*+")
        parts.append(_part(inner, word[len(inner) :], known.get(inner, ""), known, prefix))
    short = name.removeprefix(prefix)
    if short == _PRIOR_RESULT and parts:
        parts[0] = replace(parts[0], required=True)
    return Part(short, mark in ("", "+"), mark in ("*", "+"), tuple(parts), choice)


# --- placing ------------------------------------------------------------------------------------------


class _Level:
    """An open group: which part was met last, and how many instances of each part there are."""

    __slots__ = ("at", "met", "part", "path")

    def __init__(self, part: Part, path: Path) -> None:
        self.part, self.path = part, path
        self.at = -1
        self.met: dict[int, int] = {}

    def takes(self, name: str) -> int:
        """The part that may take a segment now, -1 for none."""
        at, parts = self.at, self.part.parts
        if at >= 0 and parts[at].repeats and name in parts[at].starts:
            return at
        if at >= 0 and self.part.choice:
            return -1
        return next((n for n in range(at + 1, len(parts)) if name in parts[n].starts), -1)

    def has(self, name: str) -> bool:
        """Whether the group itself, not one within it, knows the segment."""
        return any(part.name == name and not part.parts for part in self.part.parts)

    def inner(self, at: int) -> Path:
        """The path of the latest instance of a group in this one."""
        return (*self.path, (self.part.parts[at].name, self.met.get(at, 1)))


class _Walk:
    """Goes through a message once, keeping the groups that are open."""

    def __init__(self, root: Part) -> None:
        self.levels = [_Level(root, ())]
        self.last: Path = ()

    def place(self, name: str) -> Place:
        found = self._expected(name)
        expected = found is not None
        if found is None and name in self.levels[0].part.holds:
            found = self._out_of_order(name)
        if found is not None:
            self.last = found
        return Place(self.last, expected)

    def _expected(self, name: str) -> Path | None:
        """By the grammar: in the innermost open group that can go on with it."""
        for depth in range(len(self.levels) - 1, -1, -1):
            at = self.levels[depth].takes(name)
            if at >= 0:
                del self.levels[depth + 1 :]
                return self._enter(at, name)
        return None

    def _enter(self, at: int, name: str) -> Path:
        """Move on to a part of the innermost group, and into the groups that lead to the segment."""
        level = self.levels[-1]
        level.at = at
        part = level.part.parts[at]
        level.met[at] = level.met.get(at, 0) + 1
        if not part.parts:
            return level.path
        self.levels.append(_Level(part, level.inner(at)))
        inner = [n for n, one in enumerate(part.parts) if name in one.starts]
        inner += [n for n, one in enumerate(part.parts) if name in one.holds]
        return self._enter(inner[0], name)

    def _out_of_order(self, name: str) -> Path:
        """An open group that has a place for it, else the innermost one with a group that has."""
        for level in reversed(self.levels):
            if level.has(name):
                return level.path
        depth = next(n for n in range(len(self.levels) - 1, -1, -1) if name in self.levels[n].part.holds)
        level = self.levels[depth]
        found = [n for n, part in enumerate(level.part.parts) if name in part.holds]
        ahead = next((n for n in found if n > level.at), -1)
        if ahead >= 0 and not (level.part.choice and level.at >= 0):
            del self.levels[depth + 1 :]
            return self._enter(ahead, name)
        return _latest(level, found[-1], name)


def _latest(level: _Level, at: int, name: str) -> Path:
    """The path to a group that was passed already; what is open stays open."""
    path, part = level.inner(at), level.part.parts[at]
    while not any(one.name == name and not one.parts for one in part.parts):
        part = next(one for one in part.parts if name in one.holds)
        path = (*path, (part.name, 1))
    return path


def _assigned(structure: Structure, names: tuple[str, ...]) -> tuple[Place, ...]:
    walk = _Walk(structure.root)
    return tuple(walk.place(name) for name in names)


def _opened(opened: dict[Path, Group], path: Path) -> Group:
    if path not in opened:
        opened[path] = Group(*path[-1], members=[])
        _opened(opened, path[:-1]).members.append(opened[path])
    return opened[path]


# --- missing ------------------------------------------------------------------------------------------


def _missing(structure: Structure, names: tuple[str, ...]) -> tuple[str, ...]:
    there: dict[Path, set[str]] = {(): set()}
    for name, place in zip(names, assign(structure, names)):
        for depth in range(len(place.group_path) + 1):
            there.setdefault(place.group_path[:depth], set())
        there[place.group_path].add(name)
    return tuple(dict.fromkeys(name for name in _absent(structure.root, (), there) if name not in names))


def _absent(part: Part, path: Path, there: dict[Path, set[str]]) -> Iterator[str]:
    for one in () if part.choice else part.parts:
        instances = _instances(one, path, there) if one.parts else []
        for inner in instances:
            yield from _absent(one, inner, there)
        if one.may_be_empty or instances:
            continue
        if one.parts:
            yield from _absent(one, (*path, (one.name, 1)), there)
        elif one.name not in there.get(path, ()):
            yield one.name


def _instances(part: Part, path: Path, there: dict[Path, set[str]]) -> list[Path]:
    return [other for other in there if other and other[:-1] == path and other[-1][0] == part.name]


_cached = lru_cache(maxsize=1024)(_assigned)
_missed = lru_cache(maxsize=1024)(_missing)
