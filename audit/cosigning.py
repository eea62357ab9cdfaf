"""The log's side of tlog-witness: what is asked of a witness, what its answer means, and who has cosigned.

Pure: tiles are read through a function that is given, and nobody is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from audit import checkpoint as checkpoints
from audit import merkle, notes
from audit.checkpoint import Checkpoint, CheckpointRefused, decimal
from audit.notes import Key, Note, NoteRefused, Signature
from audit.primitives import check
from audit.signing import Trust, checked, opened
from audit.tiles import Read, TileNodes
from audit.witness import SIZE, Answer, Request, cosignatures

_WORDS: Final = re.compile(r"[ -~]{0,100}")


class AnswerRefused(ValueError):
    """A witness gives no answer that counts: it does not know the log, or its cosignature does not hold."""


class Disagreed(ValueError):
    """A witness has cosigned another version of the log than the one it is asked about.

    ``size``: what it has seen, where it says so.
    """

    def __init__(self, why: str, size: int | None = None) -> None:
        super().__init__(why)
        self.size = size


class Standing(NamedTuple):
    """A checkpoint as the log has signed it: to be cosigned, or cosigned already."""

    head: Checkpoint
    note: Note

    @classmethod
    def of(cls, signed: bytes) -> Standing:
        """Raises ``NoteRefused``, ``CheckpointRefused``."""
        note = notes.parse(signed)
        return cls(checkpoints.parse(note.text), note)


def ask(standing: Standing, old: int, read: Read) -> Request:
    """The request for who has seen ``old`` entries. Raises ``TilesRefused`` and what ``read`` raises."""
    proof = merkle.consistency(old, standing.head.size, TileNodes(standing.head.size, read))
    return Request(old, tuple(proof), standing.note.written())


def understood(
    standing: Standing, old: int, keys: Sequence[Key], answer: Answer
) -> tuple[Signature, ...] | int:
    """The witness's cosignatures, checked; or the size that it has seen last, to be asked about anew.

    Raises ``Disagreed``, ``AnswerRefused``.
    """
    if answer.status == 200:
        return _cosigned(standing, keys, answer.content)
    if answer.status == 409:
        return _seen(standing, old, answer)
    if answer.status == 422:
        raise Disagreed("what it has seen does not begin this log", old)
    raise AnswerRefused(f"it answers {answer.status}{_said(answer.content)}")


def _cosigned(standing: Standing, keys: Sequence[Key], content: bytes) -> tuple[Signature, ...]:
    try:
        lines = cosignatures(content)
        checked(Note(standing.note.text, lines), keys, check)
    except (NoteRefused, CheckpointRefused) as error:
        raise AnswerRefused(f"its answer holds no cosignature of it: {error}") from None
    known = {(key.name, key.id) for key in keys}
    return tuple(one for one in lines if (one.name, one.key_id) in known)


def _seen(standing: Standing, old: int, answer: Answer) -> int:
    try:
        if answer.kind.partition(";")[0].strip() != SIZE:
            raise CheckpointRefused("no size")
        size = decimal(answer.content.decode("ascii").removesuffix("\n"))
    except (CheckpointRefused, UnicodeDecodeError):
        if old == standing.head.size:
            raise Disagreed("it has seen another root for this size", old) from None
        raise AnswerRefused("it answers 409 and does not say the size that it has seen") from None
    if size > standing.head.size:
        raise Disagreed("it has seen more entries than there are", size)
    if size == old:
        raise Disagreed("it has seen another root for this size", size)
    return size


def _said(content: bytes) -> str:
    """The witness's own words, where they are words."""
    said = content.decode("ascii", "replace").strip()
    return f": {said}" if said and _WORDS.fullmatch(said) else ""


def gathered(
    standing: Standing,
    lines: Iterable[Signature],
    keys: Sequence[Key],
    trusted: Mapping[str, Sequence[Key]],
    required: int,
) -> bytes:
    """The checkpoint with all cosignatures, held against the keys of the log and of each witness, of whom
    so many must have cosigned.

    Raises ``NoteRefused``, ``CheckpointRefused``.
    """
    signed = Note(standing.note.text, (*standing.note.signatures, *dict.fromkeys(lines))).written()
    witnesses = tuple(key for of_one in trusted.values() for key in of_one)
    opened(signed, Trust(standing.head.origin, tuple(keys), witnesses, required), check)
    return signed


def heard(
    signed: bytes, origin: str, keys: Sequence[Key], trusted: Mapping[str, Sequence[Key]]
) -> dict[str, int]:
    """Who has cosigned a checkpoint, by name, and when he did last (POSIX seconds).

    Raises ``NoteRefused``, ``CheckpointRefused``: it is not to be believed at all.
    """
    witnesses = tuple(key for of_one in trusted.values() for key in of_one)
    found: dict[str, int] = {}
    for one in opened(signed, Trust(origin, tuple(keys), witnesses), check).signed:
        for name, of_one in trusted.items():
            if one.key in of_one:
                found[name] = max(found.get(name, 0), one.at or 0)
    return found
