"""The root key of a store: made once, wrapped by the key-encryption key, asked for at every opening.

That it can be unwrapped is what tells the right key-encryption key from any other.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from connector.errors import KeyUnavailable
from connector.store import keyrows
from connector.store.adopting import Adopting
from connector.store.chance import fresh_key
from connector.store.keyholders import holder
from connector.store.keyring import Keyring
from connector.store.keyrows import KeyRow
from connector.store.keys import FileKeyProvider, KeyProvider

_FIRST: Final = "SELECT key_id FROM kek WHERE since = 0"


def prepare(connection: Connection, keys: KeyProvider, micros: int, *, new: bool) -> Keyring:
    """The root of a store that is opened for writing: of a ``new`` one, of one of the first form, or its own.

    Raises ``KeyUnavailable``, ``KeysOutOfReach``, ``Tampered``.
    """
    if new:
        return _make(connection, keys, fresh_key(), micros)
    first = connection.exec_driver_sql(_FIRST).first()
    if first is None or keyrows.root(connection) is not None:
        return unwrapped(connection, keys)
    file = holder(keys, "file")
    if not isinstance(file, FileKeyProvider):
        raise KeyUnavailable("the store was made with a key in a file", fix="open it once with that file")
    ring = _make(connection, keys, file.root_of_first(str(first[0])), micros)
    Adopting(connection, keys, file, micros).adopt()
    return ring


def unwrapped(connection: Connection, keys: KeyProvider) -> Keyring:
    """The root of a store that is there. Raises ``KeyUnavailable``, ``KeysOutOfReach``, ``Tampered``."""
    row = keyrows.root(connection)
    if row is None:
        raise KeyUnavailable("the store has lost its root key", fix="restore the table of wrapped keys")
    return Keyring(keys.unwrap(row.wrapped, row.context))


def _make(connection: Connection, keys: KeyProvider, root: bytearray, micros: int) -> Keyring:
    number = keyrows.new_number()
    wrapped = keys.wrap(root, keyrows.context(number, "", ""))
    kek = keyrows.kek_of(connection, wrapped, micros)
    keyrows.put(connection, KeyRow(number, "", "", 0, wrapped, False, kek), micros)
    return Keyring(root)
