"""What is read of the audit log's formats is written back byte for byte, and all else is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from audit import checkpoint, notes, proofs, tiles, witness
from audit.checkpoint import CheckpointRefused
from audit.merkle import ProofRefused
from audit.notes import NoteRefused
from audit.tiles import TilesRefused
from audit.witness import Refused

WORDS: Final = (
    b"c2sp.org/tlog-proof@v1\n", b"old ", b"extra ", b"index ",
    b"\n\n", b"\n", "\N{EM DASH} ".encode(), b" ", b"+",
    b"=", b"tile/", b"tile/entries/", b"x001/", b"000", b".p/", b"9223372036854775807", b"0", b"\xc2\xa0",
    b"\r\n", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", b"\x00\x01", b"\xff\xff",
)  # fmt: skip


def _bundle(said: bytes) -> bytes:
    width = said[0] if said else 0
    return said[:1] + tiles.bundle(tiles.unbundle(said[1:], width))


def _text(read: Callable[[str], str]) -> Callable[[bytes], bytes]:
    def same(said: bytes) -> bytes:
        return read(said.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    return same


READERS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda said: notes.parse(said).written(),
    lambda said: proofs.parse(said).written(),
    _text(lambda said: checkpoint.parse(said).text),
    _text(lambda said: str(notes.parse_key(said))),
    _text(lambda said: tiles.parse_path(said).path),
    _bundle,
    lambda said: witness.parse(said).written(),
)


def check(data: bytes) -> None:
    """The same bytes for every reader."""
    for read in READERS:
        with suppress(NoteRefused, CheckpointRefused, ProofRefused, TilesRefused, Refused):
            assert read(data) == data
