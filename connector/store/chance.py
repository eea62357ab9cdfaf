"""Random bytes: nonces by the hundred, and keys straight into memory that can be wiped."""

from __future__ import annotations

import os
from typing import Final

from connector.errors import KeyUnavailable
from connector.store.keys import KEY_BYTES, NONCE_BYTES

_TOGETHER: Final = 256
_SOURCE: Final = os.open("/dev/urandom", os.O_RDONLY | os.O_CLOEXEC)
_nonces: list[bytes] = []

# a child that went on with these would use them a second time, under the same keys
os.register_at_fork(after_in_child=_nonces.clear)


def nonce() -> bytes:
    """12 bytes that nobody gets again. They are no secret, so many are drawn at once."""
    try:
        return _nonces.pop()  # one step for Python, so no two threads get the same
    except IndexError:
        drawn = os.urandom(_TOGETHER * NONCE_BYTES)
        found = [drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES)]
        first = found.pop()
        _nonces.extend(found)
        return first


def fresh_key() -> bytearray:
    """A new key of 32 bytes, of which there is no other copy."""
    key = bytearray(KEY_BYTES)
    if os.readv(_SOURCE, [key]) != KEY_BYTES:
        raise KeyUnavailable("the system gives no random bytes")
    return key
