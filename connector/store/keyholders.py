"""Several providers of key-encryption keys: one wraps, and the others unwrap what is still under theirs."""

from __future__ import annotations

from connector.errors import KeyUnavailable
from connector.store.keys import KeyProvider, Wrapped


class Keyholders:
    """See ``KeyProvider``. ``first`` wraps; each provider is of another kind."""

    def __init__(self, first: KeyProvider, *others: KeyProvider) -> None:
        self._first = first
        self._all = {one.name: one for one in (first, *others)}

    @property
    def name(self) -> str:
        """Of the one that wraps."""
        return self._first.name

    def named(self, name: str) -> KeyProvider | None:
        """The provider of a kind."""
        return self._all.get(name)

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """By the first."""
        return self._first.wrap(key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """By whoever wrapped it."""
        return holder(self, wrapped.provider).unwrap(wrapped, context)

    def current(self) -> str:
        """Of the first."""
        return self._first.current()

    def rotate(self) -> str:
        """Of the first."""
        return self._first.rotate()

    def forget(self, key_id: str) -> bool:
        """Of the first."""
        return self._first.forget(key_id)


def holder(keys: KeyProvider, name: str) -> KeyProvider:
    """The provider of a kind among those that there are. Raises ``KeyUnavailable``."""
    found = keys.named(name) if isinstance(keys, Keyholders) else keys if keys.name == name else None
    if found is None:
        fix = f"keep the table [keys.{name}] in the settings until nothing needs it"
        raise KeyUnavailable("another provider has the key that wrapped this", fix=fix)
    return found
