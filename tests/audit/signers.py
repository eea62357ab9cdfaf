"""Keys of a log and of its witnesses, always the same, and a checkpoint signed by them."""

from __future__ import annotations

from audit.checkpoint import Checkpoint
from audit.notes import Kind
from audit.primitives import signer
from audit.signing import Trust, sign
from tests.audit import naive

ORIGIN = "ward.example/2026"
AT = 1_795_000_000  # POSIX seconds

LOG = signer(ORIGIN, Kind.ED25519, bytes([1] * 32))
LATTICE = signer(ORIGIN, Kind.ML_DSA_44, bytes([2] * 32))
FIRST = signer("first.example/w", Kind.COSIGNATURE, bytes([3] * 32))
SECOND = signer("second.example/w", Kind.ML_DSA_44, bytes([4] * 32))
STRANGER = signer("stranger.example", Kind.ED25519, bytes([5] * 32))

ENTRIES = [b"entry %d" % n for n in range(10)]
LEAVES = [naive.leaf(entry) for entry in ENTRIES]
HEAD = Checkpoint(ORIGIN, len(LEAVES), naive.mth(LEAVES))

TRUST = Trust(ORIGIN, (LOG.key, LATTICE.key), (FIRST.key, SECOND.key), 2)
ALL = (LOG, LATTICE, FIRST, SECOND)


def checkpoint(*signers: object, head: Checkpoint = HEAD) -> bytes:
    return sign(head, signers or ALL, AT)  # type: ignore[arg-type]
