"""Envelope encryption of what the store keeps, and blind indexes for what it must find again.

Each record has a data key of its own, wrapped by the key-encryption key. The associated data of every
ciphertext names the form, the table, the record, the column and the partner: put anywhere else it does not
open. To destroy a wrapped key destroys the record.
"""

from __future__ import annotations

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import Tampered
from connector.store.keys import KEY_BYTES, NONCE_BYTES, KeyProvider

FORM: Final = b"\x01"  # of a ciphertext: form, nonce, ciphertext with tag
_START: Final = len(FORM) + NONCE_BYTES


class Record:
    """The ciphertexts of one row. ``wrapped`` is its data key, to be stored beside them."""

    __slots__ = ("_aead", "_context", "_table", "wrapped")

    def __init__(self, table: str, context: bytes, data_key: bytes, wrapped: bytes) -> None:
        self._table, self._context = table, context
        self._aead = AESGCM(data_key)
        self.wrapped = wrapped

    def seal(self, column: str, plain: bytes) -> bytes:
        """The ciphertext for one column."""
        nonce = os.urandom(NONCE_BYTES)
        return FORM + nonce + self._aead.encrypt(nonce, plain, self._context + framed(column))

    def open(self, column: str, sealed: bytes) -> bytes:
        """What was sealed. Raises ``Tampered``: changed, or from another row, column, table or partner."""
        associated = self._context + framed(column)
        try:
            if sealed[: len(FORM)] != FORM:
                raise InvalidTag
            return self._aead.decrypt(sealed[len(FORM) : _START], sealed[_START:], associated)
        except (InvalidTag, ValueError):
            location = f"{self._table}.{column}"
            raise Tampered("a stored ciphertext does not open where it lies", location=location) from None


class Cipher:
    """Makes and opens records."""

    def __init__(self, keys: KeyProvider) -> None:
        self._keys = keys

    def new(self, table: str, row: str, partner: str) -> Record:
        """A record with a fresh data key. ``row`` is what the row is known by before it is written."""
        context = _context(table, row, partner)
        data_key = os.urandom(KEY_BYTES)
        return Record(table, context, data_key, self._keys.wrap(data_key, context))

    def of(self, table: str, row: str, partner: str, wrapped: bytes) -> Record:
        """The record of a row that is there. Raises ``Tampered``, ``KeyUnavailable``."""
        context = _context(table, row, partner)
        return Record(table, context, self._keys.unwrap(wrapped, context), wrapped)


class BlindIndex:
    """Finds values without storing them: HMAC-SHA-256 under a key that serves one column only."""

    __slots__ = ("_key",)

    def __init__(self, keys: KeyProvider, column: str) -> None:
        self._key = keys.derive(f"blind index/{column}")

    def of(self, *parts: str) -> bytes:
        """32 bytes; the same for the same parts."""
        return hmac.digest(self._key, b"".join(map(framed, parts)), "sha256")


def framed(part: str) -> bytes:
    """Length and text, so that no two lists of parts give the same bytes."""
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "big") + encoded


def _context(table: str, row: str, partner: str) -> bytes:
    return FORM + framed(table) + framed(row) + framed(partner)
