"""Both sides changed one resource since they last agreed: three contents become one, field by field.

Pure. ``base`` is what both sides had, ``v2`` what a v2 message makes of that, ``fhir`` what stands at the
FHIR side now. What one side left alone is taken from the other. In a list (identifiers, telephone numbers)
what each side added or took away is done to the other's. Only where both said something else of the same
thing does the profile's table of authorities decide, and what loses is handed back, so that it can be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from connector.fhir import json as fjson
from connector.fhir.elements import shape

Json = dict[str, Any]
Side = Literal["v2", "fhir"]
Way = Literal["v2", "fhir", "newest", "hold"]

_IDENTITY: Final = frozenset({"resourceType", "id", "meta"})
_LABELS: Final = ("profile", "security", "tag")  # of meta; the rest of it is the server's own


@dataclass(frozen=True, slots=True)
class Authority:
    """Who wins where both sides changed the same field.

    ``rows``: by field (``Patient.telecom``) or by resource type (``Patient``), the field first; ``default``:
    for everything else.
    """

    default: Way = "v2"
    rows: Mapping[str, Way] = field(default_factory=dict)

    def of(self, element: str) -> Way:
        """The way for a field."""
        kind = element.partition(".")[0]
        return self.rows.get(element) or self.rows.get(kind) or self.default


USUAL: Final = Authority()


class Conflict(NamedTuple):
    """A field that both sides changed, each in its own way."""

    element: str  # Patient.telecom
    winner: Side | Literal["hold"]  # hold: a person decides, and nothing may be sent before
    v2: Any  # what v2 says it is; None: v2 took it away
    fhir: Any  # what the FHIR side says it is

    @property
    def lost(self) -> Any:
        """The loser's value, or None."""
        return self.fhir if self.winner == "v2" else self.v2


class Reconciled(NamedTuple):
    """One content, and what both sides changed."""

    resource: Json
    conflicts: tuple[Conflict, ...]

    @property
    def held(self) -> bool:
        """Whether a person has to decide before it may be sent."""
        return any(one.winner == "hold" for one in self.conflicts)


def reconcile(
    base: Json | None,
    v2: Json,
    fhir: Json,
    authority: Authority = USUAL,
    *,
    newer: Side = "v2",
    decided: Mapping[str, Side] | None = None,
) -> Reconciled:
    """One resource out of three contents of it.

    ``base`` None: the two sides never agreed on it. ``newer``: whose change is the later one, for fields
    whose authority is "newest". ``decided``: what a person decided, by field, over all authorities.
    """
    kind = str(fhir["resourceType"])
    merged: Json = {name: fhir[name] for name in ("resourceType", "id") if name in fhir}
    conflicts: list[Conflict] = []
    meta = _meta(base or {}, v2, fhir)
    if meta:
        merged["meta"] = meta
    for names in _fields(kind, fhir, v2, base or {}):
        before, ours, theirs = (_of(names, one) for one in (base or {}, v2, fhir))
        found = _settled(before, ours, theirs)
        if found is None:
            conflict = _conflict(f"{kind}.{names[0]}", ours, theirs, authority, newer, decided or {})
            conflicts.append(conflict)
            found = ours if conflict.winner == "v2" else theirs
        merged |= found
    return Reconciled(merged, tuple(conflicts))


def _conflict(
    element: str, ours: Json, theirs: Json, authority: Authority, newer: Side, decided: Mapping[str, Side]
) -> Conflict:
    way: Way = decided.get(element) or authority.of(element)
    return Conflict(element, newer if way == "newest" else way, ours or None, theirs or None)


def _settled(before: Json, ours: Json, theirs: Json) -> Json | None:
    """The field where the two sides do not contradict each other; None where they do."""
    if _same(ours, theirs) or _same(before, ours):
        return theirs
    if _same(before, theirs):
        return ours
    names = {*before, *ours, *theirs}
    if len(names) > 1:  # a value and what is said of it, or two forms of one choice
        return None
    (name,) = names
    there = [one.get(name, []) for one in (before, ours, theirs)]
    if not all(isinstance(one, list) for one in there):
        return None
    merged = _lists(*there)
    return merged if merged is None else {name: merged} if merged else {}


def _lists(before: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any]) -> list[Any] | None:
    """What either side did to a list, done to it; None where both put something in the place of one item."""
    known, here, there = ({fjson.canonical(one): one for one in side} for side in (before, ours, theirs))
    added = {word: one for word, one in here.items() if word not in known}
    also = {word: one for word, one in there.items() if word not in known}
    gone = known.keys() - here.keys()
    if gone - there.keys() and added.keys() != also.keys():
        return None
    kept = [one for word, one in there.items() if word not in gone]
    return [*kept, *(one for word, one in added.items() if word not in there)]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or fjson.canonical(one) == fjson.canonical(other)


def _fields(kind: str, *contents: Json) -> Iterator[tuple[str, ...]]:
    """The fields of a resource as JSON names: the forms of a choice together, a value with its ``_`` part."""
    known = shape(kind)
    elements = known.elements if known else {}
    groups: dict[str, dict[str, None]] = {}
    for name in dict.fromkeys(name for one in contents for name in one):
        bare = name.removeprefix("_")
        if bare not in _IDENTITY:
            stem = elements[bare].path_name if bare in elements else bare
            groups.setdefault(stem, {stem: None})[name] = None
    return iter([tuple(names) for names in groups.values()])


def _of(names: Sequence[str], content: Json) -> Json:
    return {name: content[name] for name in names if name in content}


def _meta(base: Json, v2: Json, fhir: Json) -> Json:
    """What the server says of itself, and the labels of both sides."""
    before, ours, theirs = (one.get("meta", {}) for one in (base, v2, fhir))
    merged = {name: value for name, value in theirs.items() if name not in _LABELS}
    for name in _LABELS:
        listed = _lists(*(one.get(name, []) for one in (before, ours, theirs)))
        kept = theirs.get(name, []) if listed is None else listed
        if kept:
            merged[name] = kept
    return merged
