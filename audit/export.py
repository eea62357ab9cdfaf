"""Exports: part of a sealed log as one zip file that somebody can check who has nothing but it.

Made as a stream: what is kept in memory is the list of members, and for a filter the numbers of the entries
(eight bytes each). The same log, selection and words give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from audit import checkpoint as checkpoints
from audit import forms, notes, stamped
from audit.checkpoint import Checkpoint
from audit.directory import Shard
from audit.leaflet import claims, readme
from audit.notes import Note
from audit.parties import Source
from audit.proving import Prover, needed
from audit.read import Span, spans, within
from audit.selection import Range, Selection, bounds, chosen
from audit.signing import Signer
from audit.tiles import read_tile
from audit.zipped import Zipped, bundled

FORM: Final = "audit-export/1"
TITLE: Final = "export of an audit log"  # first line of what is signed; no log can have it as its name
PROOFS: Final = 2048  # in one zip
VERIFIER: Final = Path(__file__).with_name("verify_export.py")


class ExportRefused(ValueError):
    """There is nothing to export, or it is not sealed."""


class Made(NamedTuple):
    """When, by whom (an actor as entries have it) and why an export is made."""

    at: str
    by: Mapping[str, Any]
    because: str


class Head(NamedTuple):
    """A head of a log, known by its name and size."""

    origin: str
    size: int


class Plan(NamedTuple):
    """What goes into an export. ``cosigned``: by origin, what witnesses signed where the span has another."""

    selection: Selection
    sealed: Sequence[Span]
    cosigned: Mapping[str, tuple[Checkpoint, bytes]]
    numbers: Sequence[int]
    where: Range

    @property
    def heads(self) -> list[Head]:
        """What whoever has this export can hold against a later one."""
        older = [Head(origin, head.size) for origin, (head, _) in self.cosigned.items()]
        return [*older, *(Head(span.head.origin, span.head.size) for span in self.sealed)]

    @property
    def neighbours(self) -> tuple[int | None, int | None]:
        """The numbers of the entries before and behind a whole range, where there are such."""
        before, after = self.where.first - 1, self.where.last + 1
        first, last = self.sealed[0].first, self.sealed[-1].last
        return (before if before >= first else None, after if after <= last else None)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Those that were asked for."""
        if self.selection.whole:
            return within(self.sealed, self.where.first, self.where.last)
        return _picked(self.sealed, self.numbers)


def plan(shards: Sequence[Shard], selection: Selection, least: int = 0) -> Plan:
    """What is to be exported, as the log is sealed now, at least up to the entry ``least``.

    A head that witnesses signed goes before a newer one, if it reaches as far as is asked, and of a year that
    is over to its end. Raises ``ExportRefused``, ``SelectionRefused``, and what reading the log raises.
    """
    selection.checked()
    signed = {shard.year: shard.cosigned() for shard in shards}
    sealed = spans(shards)
    if not sealed or sealed[-1].last < least:
        raise ExportRefused("the log is not sealed up to what is asked for")
    heads = {span.head.origin: _parsed(raw) for span in sealed if (raw := signed[span.shard.year])}
    sealed = [
        *(_cosigned(span, heads.get(span.head.origin), span.last) for span in sealed[:-1]),
        _cosigned(sealed[-1], heads.get(sealed[-1].head.origin), least),
    ]
    older = {
        span.head.origin: found
        for span in sealed
        if (found := heads.get(span.head.origin)) and 0 < found[0].size < span.head.size
    }
    where = bounds(sealed, selection.since, selection.until)
    return Plan(selection, sealed, older, chosen(sealed, selection, where), where)


def _parsed(raw: bytes) -> tuple[Checkpoint, bytes]:
    return checkpoints.parse(notes.parse(raw).text), raw


def _cosigned(span: Span, signed: tuple[Checkpoint, bytes] | None, least: int) -> Span:
    if signed is None or not max(least - span.first + 1, 1) <= signed[0].size <= span.head.size:
        return span
    return span._replace(head=signed[0], raw=signed[1])


def stream(
    plan: Plan,
    made: Made,
    signer: Callable[[str], Signer],
    source: Source,
    earlier: Sequence[Head] = (),
) -> Iterator[bytes]:
    """The bytes of the zip file. ``signer``: the log's Ed25519 key under a shard's name.

    ``earlier``: heads that were handed out before, which this export is to continue for everybody to see.
    """
    yield from _Export(plan, made, source, earlier).all(signer)


class _Export:
    def __init__(self, plan: Plan, made: Made, source: Source, earlier: Sequence[Head]) -> None:
        self._plan, self._made, self._source, self._earlier = plan, made, source, earlier
        self._zip = Zipped()

    def all(self, signer: Callable[[str], Signer]) -> Iterator[bytes]:
        plan, out = self._plan, self._zip
        collected = len(plan.numbers) <= forms.COLLECTED
        events = "auditevents.json" if collected else "auditevents.ndjson"
        asked = plan.selection.asked()
        leaflet = readme(self._made._asdict(), asked, plan.selection.whole, events)
        yield from out.deflated("README.txt", [leaflet])
        yield from out.deflated("verify.py", [VERIFIER.read_bytes()])
        yield from out.deflated("entries.ndjson", forms.lines(plan.entries()))
        if plan.selection.whole:
            yield out.stored("neighbours.ndjson", b"".join(forms.lines(self._neighbours())))
        yield from out.deflated("entries.csv", forms.table(plan.entries()))
        shaped = forms.events(plan.entries(), self._source, collected=collected)
        yield from out.deflated(events, shaped)
        yield from out.deflated("atna.xml", forms.messages(plan.entries(), self._source))
        for span in plan.sealed:
            yield from self._log(span)
        yield from self._proofs()
        manifest = self._manifest()
        yield out.stored("manifest.json", manifest)
        yield out.stored("manifest.note", _signed(manifest, signer(plan.sealed[-1].head.origin)))
        yield out.end()

    def _neighbours(self) -> Iterator[tuple[int, bytes]]:
        for seq in self._plan.neighbours:
            if seq is not None:
                yield from within(self._plan.sealed, seq, seq)

    def _log(self, span: Span) -> Iterator[bytes]:
        """What proves the entries of one shard."""
        folder = f"log/{span.shard.year:04}"
        keys = "".join(f"{key}\n" for key in span.shard.keys())  # noqa: SIM118 - of a log
        yield self._zip.stored(f"{folder}/keys", keys.encode())
        yield self._zip.stored(f"{folder}/checkpoint", span.raw)
        if older := self._plan.cosigned.get(span.head.origin):
            yield self._zip.stored(f"{folder}/cosigned", older[1])
        for name, content in stamped.files(span, self._shown(span)):
            yield self._zip.stored(f"{folder}/{name}", content)
        for tile in needed(span.head.size, self._indexes(span)):
            yield self._zip.stored(f"{folder}/{tile.path}", read_tile(tile, span.shard.read))

    def _shown(self, span: Span) -> int:
        """The number of the last entry of the shard that is in the export."""
        return min(self._plan.numbers[-1] if len(self._plan.numbers) else 0, span.last)

    def _indexes(self, span: Span) -> Iterator[int]:
        """The entries whose way to the root must be there."""
        size = span.head.size
        known = [*self._earlier, *self._plan.heads]
        yield from (one.size - 1 for one in known if one.origin == span.head.origin and 0 < one.size <= size)
        yield from (one - 1 for one in stamped.sizes(span, self._shown(span)))
        if self._plan.selection.whole:
            beside = [seq for seq in self._plan.neighbours if seq is not None]
            yield from (span.place(seq) for seq in beside if span.first <= seq <= span.last)
        yield from (span.place(seq) for seq in self._plan.numbers if span.first <= seq <= span.last)

    def _proofs(self) -> Iterator[bytes]:
        numbers, provers = self._plan.numbers, _Provers(self._plan)
        for start in range(0, len(numbers), PROOFS):
            part = numbers[start : start + PROOFS]
            packed = bundled((f"{seq}.tlog-proof", provers.proof(seq)) for seq in part)
            yield from self._zip.deflated(f"proofs/{part[0]:09}-{part[-1]:09}.zip", [packed])

    def _manifest(self) -> bytes:
        plan, numbers = self._plan, self._plan.numbers
        shows, cannot = claims(plan.selection.whole)
        before, after = plan.neighbours if plan.selection.whole else (None, None)
        said = {
            "form": FORM,
            "made": {"at": self._made.at, "by": dict(self._made.by), "because": self._made.because},
            "asked": plan.selection.asked(),
            "whole": plan.selection.whole,
            "shows": shows,
            "cannot_show": cannot,
            "source": self._source._asdict(),
            "count": len(numbers),
            "first": numbers[0] if len(numbers) else None,
            "last": numbers[-1] if len(numbers) else None,
            "neighbours": {"before": before, "after": after},
            "shards": [_shard(plan, span) for span in plan.sealed],
            "members": [one.listed() for one in self._zip.members],
        }
        return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode()


def _shard(plan: Plan, span: Span) -> dict[str, Any]:
    origin = span.head.origin
    return {
        "origin": origin,
        "year": span.shard.year,
        "first": span.first,
        "size": span.head.size,
        "under": "cosigned" if _under(plan, span) is not span.raw else "checkpoint",
    }


def _under(plan: Plan, span: Span) -> bytes:
    """The head that the proofs lead to: that of the witnesses, if it has all that is shown of the shard."""
    shown = min(plan.numbers[-1] if len(plan.numbers) else 0, span.last)
    older = plan.cosigned.get(span.head.origin)
    return older[1] if older and span.first + older[0].size > shown >= span.first else span.raw


class _Provers:
    def __init__(self, plan: Plan) -> None:
        self._made = [(span, _prover(plan, span)) for span in plan.sealed]

    def proof(self, seq: int) -> bytes:
        span, prover = next(one for one in self._made if seq <= one[0].last)
        return prover.proof(span.place(seq))


def _prover(plan: Plan, span: Span) -> Prover:
    raw = _under(plan, span)
    return Prover(_parsed(raw)[0].size, raw, span.shard.read)


def _signed(manifest: bytes, signer: Signer) -> bytes:
    text = f"{TITLE}\n{hashlib.sha256(manifest).hexdigest()}\n"
    return Note(text, (signer.signature(text, 0),)).written()


def _picked(sealed: Sequence[Span], numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The entries of these numbers; bundles without any are not read."""
    at = 0
    while at < len(numbers):
        first = numbers[at]
        span = next(one for one in sealed if first <= one.last)
        end = span.first + (span.place(first) // 256 + 1) * 256 - 1
        for seq, raw in within([span], first, end):
            if at < len(numbers) and numbers[at] == seq:
                at += 1
                yield seq, raw
