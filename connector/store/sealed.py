"""A file encrypted piece by piece, so that none can be changed, moved, left out or added unseen.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, 2015) over AES-256-GCM: the nonce of a piece is
its number and whether it is the last. The key must serve this one file only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import Tampered

PIECE: Final = 1024 * 1024  # bytes of plain text in each piece but the last
_TAG: Final = 16
_NUMBER_BYTES: Final = 11
_LAST: Final = b"\x01"
_MORE: Final = b"\x00"


def seal(source: BinaryIO, out: BinaryIO, key: bytes, bound: bytes) -> None:
    """Write ``source`` encrypted to ``out``. ``bound``: what the file is only good together with."""
    aead, number = AESGCM(key), 0
    piece = source.read(PIECE)
    while True:
        following = source.read(PIECE)
        out.write(aead.encrypt(_nonce(number, last=not following), piece, bound))
        if not following:
            return
        piece, number = following, number + 1


def opened(source: BinaryIO, key: bytes, bound: bytes) -> Iterator[bytes]:
    """The plain text in pieces. Raises ``Tampered``: changed, cut short, or another key; what came before
    that is good, but not whole."""
    aead, number = AESGCM(key), 0
    piece = source.read(PIECE + _TAG)
    while True:
        following = source.read(PIECE + _TAG)
        try:
            yield aead.decrypt(_nonce(number, last=not following), piece, bound)
        except (InvalidTag, ValueError):
            raise Tampered("the file was changed or cut short", fix="take another copy") from None
        if not following:
            return
        piece, number = following, number + 1


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big") + (_LAST if last else _MORE)
