"""Envelope encryption of what the store keeps, and blind indexes for what it must find again.

Each record has a data key of its own, wrapped by the key of its partner and day. What lies in a column is

    form (1 byte), schema version (2 bytes), nonce (12 bytes), AES-256-GCM ciphertext with tag

and its associated data are that header, the table, the record, the partner and the column: put anywhere else,
or under another header, it does not open. To destroy a wrapped data key destroys the record.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import Erased, Tampered
from connector.store.chance import fresh_key, nonce
from connector.store.keyring import Keyring
from connector.store.keys import NONCE_BYTES, wipe

SCHEMA: Final = 1  # what the plain texts of columns mean; another number, where that ever changes
HEADER: Final = b"\x02" + SCHEMA.to_bytes(2, "big")
COMMITTED: Final = b"connector audit commitment 1"  # what the salt of commitments is derived for
FIRST: Final = b"\x01"  # the header of stores of the first form: no schema version
_NONCE: Final = slice(len(HEADER), len(HEADER) + NONCE_BYTES)
_SEALED: Final = slice(_NONCE.stop, None)


class Record:
    """The ciphertexts of one row. ``wrapped`` is its data key, to be stored beside them."""

    __slots__ = ("_aead", "_context", "_salt", "_table", "wrapped")

    def __init__(self, table: str, context: bytes, data_key: bytearray, wrapped: bytes) -> None:
        """``data_key`` is wiped."""
        self._table, self._context = table, context
        self._aead = AESGCM(data_key)
        self._salt = hmac.digest(data_key, COMMITTED + b"\x01", "sha256")  # RFC 5869, 2.3: expand, one block
        wipe(data_key)
        self.wrapped = wrapped

    def seal(self, column: str, plain: bytes) -> bytes:
        """The ciphertext for one column."""
        drawn = nonce()
        return HEADER + drawn + self._aead.encrypt(drawn, plain, HEADER + self._context + _known(column))

    def commitment(self, plain: bytes) -> str:
        """What the audit log keeps of a content: HMAC-SHA-256, hexadecimal, under a salt derived from the
        data key. Who has the record proves with it what was recorded; once the key is destroyed, nobody can
        even try a guess."""
        return hmac.digest(self._salt, plain, "sha256").hex()

    def open(self, column: str, sealed: bytes) -> bytes:
        """What was sealed. Raises ``Tampered``: changed, or from another row, column, table or partner."""
        try:
            if sealed[: len(HEADER)] == HEADER:
                associated = HEADER + self._context + _known(column)
                return self._aead.decrypt(sealed[_NONCE], sealed[_SEALED], associated)
            if sealed[: len(FIRST)] == FIRST:
                start = len(FIRST) + NONCE_BYTES
                associated = FIRST + self._context + framed(column)
                return self._aead.decrypt(sealed[len(FIRST) : start], sealed[start:], associated)
        except (InvalidTag, ValueError):
            pass
        location = f"{self._table}.{column}"
        raise Tampered("a stored ciphertext does not open where it lies", location=location)


class Cipher:
    """Makes and opens records."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def new(self, table: str, row: str, partner: str, micros: int) -> Record:
        """A record with a fresh data key. ``row`` is what the row is known by before it is written.

        ``micros``: since 1970, of the day to which what it says belongs. Only for the writer's thread.
        Raises ``KeyWanted``.
        """
        bound = context(table, row, partner)
        data_key = fresh_key()
        wrapped = self._ring.writing(partner, micros).wrap(data_key, bound)
        return Record(table, bound, data_key, wrapped)

    def of(self, table: str, row: str, partner: str, wrapped: bytes) -> Record:
        """The record of a row that is there. Raises ``Erased``, ``Tampered``, ``KeyWanted``."""
        if not wrapped:
            raise Erased("what this record said was erased", location=table)
        bound = context(table, row, partner)
        return Record(table, bound, self._ring.reading(wrapped).unwrap(wrapped, bound), wrapped)


class BlindIndex:
    """Finds values without storing them: HMAC-SHA-256 under a key that serves one column only."""

    __slots__ = ("_key",)

    def __init__(self, ring: Keyring, column: str) -> None:
        self._key = ring.derive(f"blind index/{column}")

    def of(self, *parts: str) -> bytes:
        """32 bytes; the same for the same parts."""
        return hmac.digest(self._key, b"".join(map(framed, parts)), "sha256")


def framed(part: str) -> bytes:
    """Length and text, so that no two lists of parts give the same bytes."""
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "big") + encoded


@lru_cache(maxsize=1024)
def _known(part: str) -> bytes:
    """As ``framed``, of names that there are few of and that come again and again."""
    return framed(part)


def context(table: str, row: str, partner: str) -> bytes:
    """What a record is bound to, without the header."""
    return _known(table) + framed(row) + _known(partner)
