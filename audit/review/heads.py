"""How far a shard is sealed and cosigned: its checkpoints read, their signatures checked."""

from __future__ import annotations

from collections.abc import Sequence

from audit import checkpoint as checkpoints
from audit import notes
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.notes import Key, NoteRefused, encoded
from audit.primitives import check
from audit.review.seals import Seal
from audit.signing import Signed, Trust, checked, opened


def seal(
    origin: str,
    first: int,
    keys: Sequence[Key],
    signed: bytes | None,
    cosigned: bytes | None = None,
    witnesses: Sequence[Key] = (),
) -> Seal:
    """What the files of a shard say. ``first``: the number of its first entry, 0 where it is not known.

    ``signed``, ``cosigned``: its checkpoints, as notes. ``witnesses``: keys that are known from elsewhere;
    signatures of others are named as what nobody here can check. Never raises: what is bad is said.
    """
    if signed is None:
        return Seal(origin, first, 0, "", "there is no checkpoint yet")
    try:
        head = opened(signed, Trust(origin, tuple(keys)), check)
    except (NoteRefused, CheckpointRefused) as error:
        return Seal(origin, first, 0, "", f"NOT GOOD: {error}")
    by = ", ".join(f"{one.key.id.hex()}" for one in head.signed)
    size, names = _cosigned(origin, cosigned or signed, keys, witnesses)
    root = encoded(head.checkpoint.root)
    return Seal(origin, first, head.checkpoint.size, root, f"good, by key {by}", size, names)


def _cosigned(origin: str, raw: bytes, keys: Sequence[Key], witnesses: Sequence[Key]) -> tuple[int, str]:
    """How many entries, by whom; the newest checkpoint itself may be the one that the witnesses signed."""
    try:
        note = notes.parse(raw)
        head: Checkpoint = checkpoints.parse(note.text)
        if head.origin != origin:
            return 0, "NOT GOOD: the checkpoint of another log"
        found: Sequence[Signed] = checked(note, (*keys, *witnesses), check)
    except (NoteRefused, CheckpointRefused) as error:
        return 0, f"NOT GOOD: {error}"
    good = {one.key.name for one in found if one.key in witnesses}
    names = {one.name for one in note.signatures} - {origin}
    told = [
        f"{name} (good)" if name in good else f"{name} (its key is not known here)" for name in sorted(names)
    ]
    return (head.size if told else 0), ", ".join(told)
