"""What is asked for of a log: a whole range of time, or a filter over it.

A patient is asked for by pseudonym: the entries that hold it, and all that hangs together with one of them by
its correlation, since only the first steps of a message know whom it is about.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from audit.entry import TIME
from audit.read import Span, bundles, moment, time, within

_PLACES: Final = ("link", "partner")  # members that name a partner, of actor and object


class SelectionRefused(ValueError):
    """What is asked for cannot be asked for; the text holds nothing of it."""


class Selection(NamedTuple):
    """``since`` and ``until``: RFC 3339 in UTC, from the one to before the other; None: no limit.

    ``partner``: the name of a link; ``patients``: the pseudonyms of one patient (one for each authority);
    ``tag``: a tag, or its first parts (``delivery:fhir``).
    """

    since: str | None = None
    until: str | None = None
    partner: str | None = None
    patients: tuple[str, ...] = ()
    tag: str | None = None

    @property
    def whole(self) -> bool:
        """Whether all of a range is asked for."""
        return self.partner is None and not self.patients and self.tag is None

    def checked(self) -> Selection:
        """Itself. Raises ``SelectionRefused``."""
        for said in (self.since, self.until):
            if said is not None and not TIME.fullmatch(said):
                raise SelectionRefused("a time is given in UTC: 2026-11-23T10:00:00Z")
        if self.since and self.until and moment(self.since) >= moment(self.until):
            raise SelectionRefused("the time from which on comes after the time until which")
        if any(said == "" for said in (self.partner, self.tag, *self.patients)):
            raise SelectionRefused("an empty filter")
        return self

    def matches(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is asked for by itself; its time is not looked at."""
        return (
            (self.tag is None or _tagged(str(entry["tag"]), self.tag))
            and (self.partner is None or self.partner in _partners(entry))
            and (not self.patients or not patients(entry).isdisjoint(self.patients))
        )

    def asked(self) -> dict[str, str | None]:
        """For a manifest or an entry."""
        return {
            "from": self.since,
            "to": self.until,
            "partner": self.partner,
            "patient": ",".join(self.patients) or None,
            "tag": self.tag,
        }


def _tagged(tag: str, wanted: str) -> bool:
    return tag == wanted or tag.startswith(f"{wanted.rstrip(':')}:")


def _partners(entry: Mapping[str, Any]) -> set[Any]:
    places = (entry["actor"], entry["object"])
    return {said for place in places for name in _PLACES if isinstance(said := place.get(name), str)}


def patients(entry: Mapping[str, Any]) -> frozenset[str]:
    """The pseudonyms of the patients that an entry names."""
    said = entry["object"].get("patient")
    return frozenset([said] if isinstance(said, str) else said if isinstance(said, list) else ())


class Range(NamedTuple):
    """The least part of the log that holds every entry of a time: its first and last number.

    Where the log has none, ``last`` is ``first - 1``, and ``first`` the next entry after that time.
    """

    first: int
    last: int


def bounds(sealed: Sequence[Span], since: str | None, until: str | None) -> Range:
    """Where a time begins and ends in the log.

    Times need not be in order (a clock may be set), so both ends are looked for from outside: nothing that
    lies before or behind has a time within. A year's shard has no entry of a later year.
    """
    if not sealed:
        return Range(1, 0)
    low = moment(since) if since else ""
    high = moment(until) if until else "\x7f"
    last = _last(sealed, high)
    first = _first(sealed, low)
    if first > last or not _any(sealed, first, last, low, high):
        return Range(last + 1, last)
    return Range(first, last)


def _first(sealed: Sequence[Span], low: str) -> int:
    for span in sealed:
        if low and int(low[:4]) > span.shard.year:
            continue
        for bundle in bundles(span, span.first, span.last):
            for seq, entry in bundle:
                if time(entry) >= low:
                    return seq
    return sealed[-1].last + 1


def _last(sealed: Sequence[Span], high: str) -> int:
    for span in reversed(sealed):
        for bundle in bundles(span, span.first, span.last, back=True):
            for seq, entry in reversed(bundle):
                if time(entry) < high:
                    return seq
    return sealed[0].first - 1


def _any(sealed: Sequence[Span], first: int, last: int, low: str, high: str) -> bool:
    """Whether anything of that time lies in between; as a rule the first entry does."""
    for span in sealed:
        for bundle in bundles(span, first, last):
            if any(low <= time(entry) < high for _, entry in bundle):
                return True
    return False


def chosen(sealed: Sequence[Span], wanted: Selection, where: Range) -> Sequence[int]:
    """The numbers of the entries that are asked for, in order: eight bytes each, or a range of them all."""
    if wanted.whole:
        return range(where.first, where.last + 1)
    tied = _tied(sealed, wanted.patients) if wanted.patients else frozenset()
    low = moment(wanted.since) if wanted.since else ""
    high = moment(wanted.until) if wanted.until else "\x7f"
    found = array("Q")
    for span in sealed:
        for bundle in bundles(span, where.first, where.last):
            found.extend(seq for seq, raw in bundle if low <= time(raw) < high and _wanted(raw, wanted, tied))
    return found


def _wanted(raw: bytes, wanted: Selection, tied: frozenset[str]) -> bool:
    entry = json.loads(raw)
    if wanted.matches(entry):
        return True
    return entry["correlation"] in tied and wanted._replace(patients=()).matches(entry)


def _tied(sealed: Sequence[Span], wanted: tuple[str, ...]) -> frozenset[str]:
    """Of any time, since a message may live across the ends of a range."""
    return closed(within(sealed, sealed[0].first, sealed[-1].last), wanted) if sealed else frozenset()


def closed(entries: Iterable[tuple[int, bytes]], wanted: Iterable[str]) -> frozenset[str]:
    """The correlations of the entries that name a patient: what hangs together with them is about him too."""
    pseudonyms = frozenset(wanted)
    said = [one.encode() for one in pseudonyms]
    held = (json.loads(raw) for _, raw in entries if any(one in raw for one in said))
    return frozenset(entry["correlation"] for entry in held if patients(entry) & pseudonyms) - {""}
