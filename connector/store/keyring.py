"""The keys in memory: the root of the blind indexes, and one key for each partner and day.

    key-encryption key (provider)  wraps  root, day keys (table ``wrapped_key``)
    day key                        wraps  the data key of each record (in its row)
    root                           gives  the keys of blind indexes and pseudonyms (RFC 5869)

Nothing here waits for a provider: a key that is not in memory is asked for by raising ``KeyWanted``, and
``keydesk`` brings it and tries again.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from connector.errors import Erased, KeyUnavailable
from connector.store.chance import nonce
from connector.store.keys import KEY_BYTES, NONCE_BYTES, opened, wipe

DAY_MICROS: Final = 86_400_000_000
USES: Final = 2**24
"""Records that one day key wraps before the day gets another. A random nonce of 96 bits is sound for 2^32
(NIST SP 800-38D 8.3); a few processes may each count a little past this before they hear of each other."""
KEPT: Final = 4096  # day keys in memory
FORM: Final = b"\x02"  # of a wrapped data key: form, number of the day key, nonce, ciphertext with tag
_NUMBER_BYTES: Final = 8
_HEAD: Final = len(FORM) + _NUMBER_BYTES
_START: Final = _HEAD + NONCE_BYTES


class Wanted(NamedTuple):
    """A key that is not in memory: by number, or whichever is to wrap for a partner on a day."""

    number: int = 0
    partner: str = ""
    day: int = 0  # days since 1970 in UTC


NONE: Final = Wanted()  # none, but the work must be done again: a key it was done with is destroyed


class KeyWanted(Exception):
    """The work cannot go on without a key; nothing of it stays."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        super().__init__("a key is not in memory")


class DayKey:
    """Wraps the data keys of the records of one partner and day."""

    __slots__ = ("_aead", "_head", "day", "number", "partner", "uses")

    def __init__(self, number: int, partner: str, day: int, uses: int, key: bytearray) -> None:
        """``key`` is wiped. ``uses``: how often it has wrapped, as far as is known."""
        self.number, self.partner, self.day, self.uses = number, partner, day, uses
        self._head = FORM + number.to_bytes(_NUMBER_BYTES, "big")
        self._aead = AESGCM(key)
        wipe(key)

    def wrap(self, data_key: bytearray, context: bytes) -> bytes:
        """The data key of a record, encrypted: 69 bytes."""
        drawn, head = nonce(), self._head
        return head + drawn + self._aead.encrypt(drawn, data_key, head + context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """The data key. Raises ``Tampered``."""
        return opened(self._aead, wrapped[_HEAD:_START], wrapped[_START:], self._head + context)


class Keyring:
    """The keys of one store. Read by every thread; ``put`` and ``drop`` exclude each other."""

    def __init__(self, root: bytearray) -> None:
        """``root`` stays in memory: keys are derived from it as they are asked for."""
        self._root = root
        self._keys: dict[int, DayKey] = {}
        self._pseudonyms: dict[str, bytes] = {}  # keys by purpose: they are asked for at each message
        self._current: dict[tuple[str, int], DayKey] = {}
        self._destroyed: set[int] = set()
        self._unsaid: dict[int, int] = {}  # uses that are not in the table yet; of the writer's thread
        self._lock = threading.Lock()

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose. The same as long as the store lives, whatever wraps the root."""
        return HKDFExpand(SHA256(), KEY_BYTES, purpose.encode("utf-8")).derive(bytes(self._root))

    def pseudonym(self, purpose: str, *parts: str) -> str:
        """16 hexadecimal digits that stand for something in the audit log, for who does not have the key."""
        key = self._pseudonyms.get(purpose)
        if key is None:
            key = self._pseudonyms[purpose] = self.derive(f"pseudonym/{purpose}")
        return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")[:8].hex()

    def writing(self, partner: str, micros: int) -> DayKey:
        """The key that wraps one more record of this partner and day (``micros`` since 1970).

        Only for the writer's thread. Raises ``KeyWanted``, ``KeyUnavailable``.
        """
        day = micros // DAY_MICROS
        key = self._current.get((partner, day))
        if key is None or key.number not in self._keys:
            raise KeyWanted(Wanted(partner=partner, day=day))
        if key.uses >= USES:
            self._current.pop((partner, day), None)
            raise KeyWanted(Wanted(partner=partner, day=day))
        key.uses += 1
        self._unsaid[key.number] = self._unsaid.get(key.number, 0) + 1
        return key

    def reading(self, wrapped: bytes) -> DayKey:
        """The key that wrapped a data key. Raises ``KeyWanted``, ``Erased``, ``KeyUnavailable``."""
        if wrapped[: len(FORM)] != FORM:
            raise KeyUnavailable("a data key is of a form that is not known", fix="run a newer version")
        number = int.from_bytes(wrapped[len(FORM) : _HEAD], "big")
        key = self._keys.get(number)
        if key is None:
            if number in self._destroyed:
                raise Erased("the key of this partner and day was destroyed")
            raise KeyWanted(Wanted(number))
        return key

    def put(self, key: DayKey, *, current: bool) -> None:
        """A key that was brought; the one that came first makes room. ``current``: it wraps from now on."""
        with self._lock:
            while len(self._keys) >= KEPT:
                self._forget(next(iter(self._keys)))
            self._keys[key.number] = key
            if current:
                self._current[key.partner, key.day] = key

    def drop(self, number: int) -> None:
        """The key is destroyed: nobody here may use it any more."""
        with self._lock:
            self._forget(number)
            self._destroyed.add(number)

    def _forget(self, number: int) -> None:
        key = self._keys.pop(number, None)
        if key is not None and self._current.get((key.partner, key.day)) is key:
            del self._current[key.partner, key.day]

    def unsaid(self) -> Mapping[int, int]:
        """How often each key has wrapped since ``said``. Only for the writer's thread."""
        return self._unsaid

    def said(self) -> None:
        """What was unsaid is on the disk."""
        self._unsaid = {}

    def __len__(self) -> int:
        return len(self._keys)
