"""The proof of one entry as a file that needs nothing beside it but keys (C2SP tlog-proof). Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from audit import checkpoint as checkpoints
from audit import merkle, notes
from audit.checkpoint import Checkpoint, CheckpointRefused, decimal, hashed
from audit.merkle import ProofRefused
from audit.notes import NoteRefused, decoded, encoded
from audit.signing import Check, Opened, Trust, opened

SUFFIX: Final = ".tlog-proof"
FIRST: Final = "c2sp.org/tlog-proof@v1"
LONGEST: Final = 64  # hashes: as many as a tree can have levels
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_HEAD: Final = 1 << 20  # bytes of extra, index and hashes together; the checkpoint has its own limit


class TlogProof(NamedTuple):
    """Where an entry stands (from 0), the way up to the root, and the signed checkpoint, as it was issued.

    ``extra`` is for the application and is proven by nothing.
    """

    leaf_index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def written(self) -> bytes:
        """The file. Raises ``ProofRefused`` for what ``parse`` would not read the same."""
        extra = [f"extra {encoded(self.extra)}"] if self.extra else []
        lines = [FIRST, *extra, f"index {self.leaf_index}", *map(encoded, self.path)]
        raw = "\n".join(lines).encode("ascii") + b"\n\n" + self.checkpoint
        if parse(raw) != self:
            raise ProofRefused("a proof that cannot be written")
        return raw


def parse(raw: bytes) -> TlogProof:
    """The proof in a file; nothing of it is checked yet but its form. Raises ``ProofRefused``."""
    head, blank, checkpoint = raw.partition(b"\n\n")
    if not blank or len(head) > _HEAD:
        raise ProofRefused("no proof of an entry")
    try:
        first, *lines = head.decode("ascii").split("\n")
        _well_formed(checkpoint)
        beside = decoded(lines.pop(0)[len(_EXTRA) :]) if _begins(lines, _EXTRA) else b""
        index = decimal(lines.pop(0)[len(_INDEX) :]) if _begins(lines, _INDEX) else None
        path = tuple(map(hashed, lines))
    except (UnicodeDecodeError, NoteRefused, CheckpointRefused) as error:
        raise ProofRefused(f"no proof of an entry: {_reason(error)}") from None
    if first != FIRST or index is None or len(path) > LONGEST:
        raise ProofRefused("no proof of an entry")
    return TlogProof(index, path, checkpoint, beside)


@lru_cache(maxsize=8)
def _well_formed(checkpoint: bytes) -> None:
    """That it has a checkpoint's form; looked at once for the many proofs that end in the same one."""
    checkpoints.parse(notes.parse(checkpoint).text)


def _begins(lines: list[str], word: str) -> bool:
    return bool(lines) and lines[0].startswith(word)


def _reason(error: ValueError) -> str:
    return "not ASCII" if isinstance(error, UnicodeDecodeError) else str(error)


def verify(raw: bytes, entry: bytes, trust: Trust, check: Check) -> Opened:
    """That the entry stands in the log that is trusted; the checkpoint that says so.

    Raises ``ProofRefused``, ``NoteRefused`` or ``CheckpointRefused``, all of them ``ValueError``.
    """
    proof = parse(raw)
    believed = opened(proof.checkpoint, trust, check)
    included(proof, entry, believed.checkpoint)
    return believed


def included(proof: TlogProof, entry: bytes, head: Checkpoint) -> None:
    """That the entry stands at the proof's index under a checkpoint that is believed already.

    For many proofs under one checkpoint: its signatures need to be checked once. Raises ``ProofRefused``.
    """
    merkle.verify_inclusion(merkle.leaf_hash(entry), proof.leaf_index, head.size, proof.path, head.root)
