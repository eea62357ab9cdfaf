"""What a witness answers (C2SP tlog-witness ``add-checkpoint``): reading a request, and deciding. Pure.

A witness has seen one checkpoint of a log last. It cosigns the next one only where that is proven to hold
all that the last one held, so no two of its cosignatures are ever over logs that went different ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from audit import checkpoint as checkpoints
from audit import merkle, notes
from audit.checkpoint import Checkpoint, CheckpointRefused, decimal, hashed
from audit.merkle import EMPTY, ProofRefused
from audit.notes import Key, Kind, Note, NoteRefused, Signature, encoded
from audit.signing import Check, Trust, opened

PATH: Final = "/add-checkpoint"
PLAIN: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
LONGEST: Final = 63  # hashes of a consistency proof
EVERY_YEAR: Final = "/*"  # ends the origin of a log that has one tree a year

_OLD: Final = "old "
_YEAR: Final = re.compile(r"[0-9]{4}")


class Refused(ValueError):
    """A witness does not cosign. ``status``: of HTTP; ``size``: what it has seen last, where it says so;
    ``forked``: the log has signed it, so it is worth keeping as what a log may have done wrong."""

    def __init__(self, status: int, why: str, *, size: int | None = None, forked: bool = False) -> None:
        super().__init__(why)
        self.status, self.size, self.forked = status, size, forked


class Answer(NamedTuple):
    """What goes back: a status of HTTP, the type of the content, and the content."""

    status: int
    kind: str
    content: bytes

    @classmethod
    def refusal(cls, error: Refused) -> Answer:
        """The size alone where the witness has seen another one, else the reason in words."""
        if error.size is not None:
            return cls(error.status, SIZE, f"{error.size}\n".encode())
        return cls(error.status, PLAIN, f"{error}\n".encode())


class Request(NamedTuple):
    """A checkpoint that is to be cosigned. ``old``: the size that the witness has seen last, as who asks
    believes; ``proof``: that the tree of that size begins the new one; ``note``: the signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def written(self) -> bytes:
        """The body of the request."""
        lines = [f"{_OLD}{self.old}", *map(encoded, self.proof)]
        return "\n".join(lines).encode("ascii") + b"\n\n" + self.note


class Seen(NamedTuple):
    """The last checkpoint of a log that was cosigned."""

    size: int
    root: bytes


NOTHING: Final = Seen(0, EMPTY)


class Log(NamedTuple):
    """A log that is known. ``origin``: its name, or ``<site>/*`` for all of a site's logs, one a year.

    ``keys``: any of them must have signed; for a log of every year they count under each year's name.
    """

    origin: str
    keys: tuple[Key, ...]

    @property
    def yearly(self) -> bool:
        """Whether this stands for a log of every year."""
        return self.origin.endswith(EVERY_YEAR)

    def keys_of(self, origin: str) -> tuple[Key, ...]:
        """The keys that count for an origin; none where it is another log's."""
        if not self.yearly:
            return self.keys if origin == self.origin else ()
        site, _, year = origin.rpartition("/")
        if site != self.origin.removesuffix(EVERY_YEAR) or not _YEAR.fullmatch(year):
            return ()
        return tuple(key._replace(name=origin) for key in self.keys)


class Asked(NamedTuple):
    """A request of a known log. ``head``: the checkpoint; ``note``: it, with the signatures that count."""

    request: Request
    head: Checkpoint
    note: Note


def parse(body: bytes) -> Request:
    """The request in a body; its checkpoint is not looked at. Raises ``Refused`` (400)."""
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        if not blank or not first.startswith(_OLD) or len(lines) > LONGEST:
            raise CheckpointRefused("an old size, a proof of 63 lines at most, a blank line, a checkpoint")
        return Request(decimal(first[len(_OLD) :]), tuple(map(hashed, lines)), note)
    except UnicodeDecodeError:
        raise Refused(400, "old size and proof are ASCII") from None
    except CheckpointRefused as error:
        raise Refused(400, str(error)) from None


def read(body: bytes, logs: Sequence[Log], check: Check) -> Asked:
    """A request that a known log has signed. Raises ``Refused``: 400 (no request), 404 (no known log), 403
    (the log has not signed it)."""
    request = parse(body)
    try:
        note = notes.parse(request.note)
        head = checkpoints.parse(note.text)
    except (NoteRefused, CheckpointRefused) as error:
        raise Refused(400, str(error)) from None
    keys = _named_first(logs, head.origin)
    if not keys:
        raise Refused(404, "a log that is not known here")
    try:
        signed = opened(request.note, Trust(head.origin, keys), check).signed
    except (NoteRefused, CheckpointRefused) as error:
        raise Refused(403, str(error)) from None
    if request.old > head.size:
        raise Refused(400, "the old size is larger than that of the checkpoint")
    return Asked(request, head, Note(note.text, _lines(note, [one.key for one in signed])))


def decide(asked: Asked, seen: Seen) -> None:
    """Return where a checkpoint may be cosigned after the one that was seen last.

    Raises ``Refused``: 409 (another size was seen, or another root for the same size), 422 (no proof).
    """
    request, head = asked.request, asked.head
    if request.old != seen.size:
        raise Refused(409, "another size was seen last", size=seen.size)
    if head.size == seen.size and head.root != seen.root:
        raise Refused(409, "another root was seen for this size", size=seen.size, forked=True)
    try:
        merkle.verify_consistency(seen.size, head.size, request.proof, seen.root, head.root)
    except ProofRefused as error:
        raise Refused(422, str(error), forked=True) from None


def cosignatures(answer: bytes) -> tuple[Signature, ...]:
    """The lines of a good answer, none of them checked. Raises ``NoteRefused``."""
    return notes.parse(b"x\n\n" + answer).signatures


def can_cosign(kind: Kind, head: Checkpoint) -> bool:
    """Whether a key of this type can say all that a checkpoint says."""
    return kind is Kind.COSIGNATURE or (kind is Kind.ML_DSA_44 and not head.extensions)


def _named_first(logs: Sequence[Log], origin: str) -> tuple[Key, ...]:
    """The keys of a log: those given for it alone count before those for all years of its site."""
    return next(
        (keys for one in sorted(logs, key=lambda one: one.yearly) if (keys := one.keys_of(origin))), ()
    )


def _lines(note: Note, keys: Sequence[Key]) -> tuple[Signature, ...]:
    known = {(key.name, key.id) for key in keys}
    return tuple(dict.fromkeys(one for one in note.signatures if (one.name, one.key_id) in known))
