"""The segments of a message being written: which unit each belongs to, and where new ones go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..hl7v2.tree import Message, Segment
from .planning import Plan
from .units import Unit


class Layout:
    """A message's segments in order, with the number of the unit instance each belongs to.

    Instances of the prior message keep their numbers in its plan; new ones count on from there.
    """

    def __init__(self, prior: Message, plan: Plan, units: tuple[Unit, ...], order: tuple[str, ...]) -> None:
        self._prior = prior
        self._order = {name: rank for rank, name in enumerate(order)}
        self._unit_of: list[Unit] = [units[instance.unit] for instance in plan.instances]
        self._parents: list[dict[str, int]] = [dict(instance.parents) for instance in plan.instances]
        self._references: dict[int, str] = {}
        owner = {
            at: n for n, instance in enumerate(plan.instances) for ats in instance.at.values() for at in ats
        }
        self._rows: list[tuple[Segment, int]] = [
            (s, owner.get(at, -1)) for at, s in enumerate(prior.segments)
        ]
        self._blank: dict[tuple[int, str], Segment] = {}
        self._end = prior.msh.end or "\r"
        self._last_end = prior.segments[-1].end

    # --- what is there

    def segments(self, n: int, name: str) -> list[Segment]:
        """An instance's segments of one name."""
        return [segment for segment, owner in self._rows if owner == n and segment.name == name]

    def holds(self, name: str) -> bool:
        """Whether the message has a segment of this name."""
        return any(segment.name == name for segment, _ in self._rows)

    def has(self, n: int, name: str) -> bool:
        return bool(self.segments(n, name))

    def segment(self, n: int, name: str) -> Segment:
        """An instance's segment; a blank one where there is none, kept only if something is written to it."""
        found = self.segments(n, name)
        if found:
            return found[0]
        blank = self._blank.get((n, name))
        if blank is None:
            blank = self._blank[(n, name)] = self._new(name)
        return blank

    def keep(self, n: int, name: str) -> None:
        """Let an instance have a segment of this name, though nothing be written to it."""
        if not self.has(n, name):
            blank = self.segment(n, name)
            del self._blank[(n, name)]
            self._insert(blank, n)

    def _new(self, name: str) -> Segment:
        return Segment(name, self._prior.delimiters, self._end)

    def parent(self, n: int, unit: str) -> int | None:
        return self._parents[n].get(unit)

    def parents(self, n: int) -> dict[str, int]:
        return self._parents[n]

    def unit(self, n: int) -> str:
        return self._unit_of[n].name

    def instances(self, unit: str) -> Iterator[int]:
        there = {owner for _, owner in self._rows}
        return (n for n, each in enumerate(self._unit_of) if each.name == unit and n in there)

    def reference(self, n: int) -> str:
        """The reference of an instance's first resource."""
        return self._references.get(n, "")

    def standing(self, prior: int) -> set[str]:
        """The references of the prior message's instances that are still there."""
        return {self._references.get(owner, "") for _, owner in self._rows if 0 <= owner < prior} - {""}

    def know(self, n: int, reference: str) -> None:
        self._references[n] = reference

    # --- what changes

    def remove(self, n: int) -> None:
        """Take out an instance and everything under it."""
        gone = {n} | {child for child, parents in enumerate(self._parents) if n in parents.values()}
        self._rows = [row for row in self._rows if row[1] not in gone]

    def replace(self, n: int) -> set[int]:
        """Take out an instance whose place another takes, and the unknown segments behind it; what went.

        What nobody knows was said of the other one, and must not seem to be said of this one.
        """
        gone = {n} | {child for child, parents in enumerate(self._parents) if n in parents.values()}
        kept: list[tuple[Segment, int]] = []
        going = False
        for segment, owner in self._rows:
            going = owner in gone or (going and owner < 0)
            if not going:
                kept.append((segment, owner))
        self._rows = kept
        return gone

    def drop(self, segment: Segment) -> None:
        self._rows = [row for row in self._rows if row[0] is not segment]

    def add(self, n: int, name: str) -> Segment:
        """One more segment of an instance."""
        segment = self._new(name)
        self._insert(segment, n)
        return segment

    def open(self, unit: Unit, reference: str, parents: Mapping[str, int]) -> int:
        """A new instance under the given ones, and under those at hand."""
        n = len(self._unit_of)
        around = {
            name: max(self.instances(name))
            for name in unit.under
            if name not in unit.inside and any(True for _ in self.instances(name))
        }
        self._unit_of.append(unit)
        self._parents.append({**around, **parents})
        self._references[n] = reference
        self.add(n, unit.opener)
        if unit.led and not any(unit.leads[0] in self._unit_of[at].leads for at in parents.values()):
            self.add(n, unit.leads[0])
        return n

    def close(self, n: int) -> None:
        """Keep what was written to blank segments of an instance; number the segments that have a set id."""
        self._keep_blanks(n)

    def _keep_blanks(self, only: int | None = None) -> None:
        for (n, name), segment in list(self._blank.items()):
            if only is None or n == only:
                del self._blank[(n, name)]
                if any(segment.texts[1:]):
                    self._insert(segment, n)

    def _insert(self, segment: Segment, n: int) -> None:
        at = self._within(segment.name, n) if any(owner == n for _, owner in self._rows) else self._after(n)
        self._rows.insert(at, (segment, n))
        self._number(segment, n)

    def _within(self, name: str, n: int) -> int:
        """Behind the instance's segments that are written before this one.

        What leads behind another stands behind the opener where that one is not there.
        """
        unit = self._unit_of[n]
        if name in unit.leads[1:] and not self.has(n, unit.leads[0]):
            openers = (at for at, (s, owner) in enumerate(self._rows) if owner == n and s.name == unit.opener)
            return max(openers, default=-1) + 1 or min(at for at, (_, o) in enumerate(self._rows) if o == n)
        ranks = {each: rank for rank, each in enumerate(self._unit_of[n].segments)}
        mine = [(at, ranks.get(s.name, 0)) for at, (s, owner) in enumerate(self._rows) if owner == n]
        before = [at for at, rank in mine if rank <= ranks[name]]
        return max(before) + 1 if before else min(at for at, _ in mine)

    def _after(self, n: int) -> int:
        """Behind the units that are written before this one, among those it stands inside of."""
        inner = self._inner(n)
        if inner is not None:
            mine, behind = self._standing(n), self._unit_of[n].before
            before = [at for at, (_, owner) in enumerate(self._rows) if self._precedes(owner, inner, mine)]
            own = [at for at in before if self._rows[at][1] == inner and self._rows[at][0].name in behind]
            return self._behind_unknown(max([at for at in before if at not in own] or own) + 1)
        rank, last, patient = self._rank(n), 0, self._parents[n].get("patient")
        another = self._unit_of[n].name == "patient"  # stands behind all that is about the ones before
        for at, (_, owner) in enumerate(self._rows):
            if owner < 0:
                continue
            if (self._rank(owner) <= rank and self._of(owner, patient)) or (another and self._about(owner)):
                last = at
        return self._behind_unknown(last + 1)

    def _precedes(self, owner: int, inner: int, rank: int) -> bool:
        """Whether an instance is the one around, or stands in it before what has this rank there."""
        if owner < 0 or owner == inner:
            return owner == inner
        if inner not in self._parents[owner].values():
            return False
        while (around := self._inner(owner)) is not None and around != inner:
            owner = around
        return self._standing(owner) <= rank

    def _standing(self, n: int) -> int:
        """Where an instance stands among those beside it; what is said of another follows that at once."""
        unit = self._unit_of[n]
        return -1 if unit.after else self._order.get(unit.name, 99)

    def _of(self, n: int, patient: int | None) -> bool:
        """Whether an instance is about a patient, or about none."""
        if patient is None or n == patient:
            return True
        if self._unit_of[n].name == "patient":
            return False
        return self._parents[n].get("patient", patient) == patient

    def _about(self, n: int) -> bool:
        """Whether an instance is about some patient."""
        return self._unit_of[n].name == "patient" or "patient" in self._parents[n]

    def _rank(self, n: int) -> int:
        """Where an instance stands among the units of the message; what stands inside another, with that."""
        while (inner := self._inner(n)) is not None:
            n = inner
        return self._order.get(self._unit_of[n].name, 99)

    def _inner(self, n: int) -> int | None:
        """The instance among whose segments this one stands, if there is one."""
        parents = self._parents[n]
        unit = self._unit_of[n]
        return next((parents[name] for name in (*unit.inside, *unit.after) if name in parents), None)

    def _behind_unknown(self, at: int) -> int:
        """Segments nobody knows belong to the one before them."""
        while at < len(self._rows) and self._rows[at][1] < 0 and self._rows[at][0].name:
            at += 1
        return at

    def _number(self, segment: Segment, n: int) -> None:
        """A set id counts the segments of one name under one parent."""
        if f"{segment.name}-1" not in self._unit_of[n].structural or segment.name in ("MSH", "EVN"):
            return
        if segment.name == "NTE" and self._unit_of[n].opener != "NTE":
            siblings = self.segments(n, "NTE")
        else:
            inner = self._inner(n)
            siblings = [
                s for s, owner in self._rows if s.name == segment.name and self._beside(owner, n, inner)
            ]
        segment.set(1, str(next(count for count, s in enumerate(siblings, 1) if s is segment)))

    def _beside(self, other: int, n: int, inner: int | None) -> bool:
        """Whether the set ids of two instances of one unit count together."""
        if inner is not None:
            return self._inner(other) == inner
        unit = self._unit_of[n]
        return unit.name == "patient" or other < 0 or self._of(other, self._parents[n].get("patient"))

    def message(self) -> Message:
        """The message as it now stands; what was its last line may not be that any more."""
        self._keep_blanks()
        segments = [segment for segment, _ in self._rows]
        if not self._last_end and segments[-1] is not self._prior.segments[-1]:
            segments[-1].end = ""
        for segment in segments[:-1]:
            segment.end = segment.end or self._end
        return Message(segments, self._prior.delimiters)
