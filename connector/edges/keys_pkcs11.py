"""Key-encryption keys in a hardware security module, by PKCS#11 v2.40 (CKM_AES_GCM); they never leave it.

Needs the extra ``pkcs11`` (python-pkcs11). The keys are AES-256 secret keys of one label; the one with the
highest CKA_ID is the current one. A session is open only while it is needed, a few times a day.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11 import exceptions as said

from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store.keys import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Wrapped, secret_in

_TAG_BITS: Final = 8 * TAG_BYTES
_ID_BYTES: Final = 4
_NOT_OPENED: Final = (said.EncryptedDataInvalid, said.EncryptedDataLenRange, said.GeneralError)
_GONE: Final = (said.DeviceError, said.DeviceRemoved, said.DeviceMemory, said.TokenNotPresent)
_TEMPLATE: Final = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
}


class Pkcs11KeyProvider:
    """See ``KeyProvider``."""

    name: Final = "pkcs11"

    def __init__(self, module: Path, token: str, label: str, pin: Path) -> None:
        """``module``: the library of the HSM; ``pin``: a file that only its owner may read.

        Raises ``ConfigurationError``: there is no such library.
        """
        self._token, self._label, self._pin = token, label, pin
        self._turn = threading.Lock()
        try:
            self._lib = pkcs11.lib(str(module))
        except (said.PKCS11Error, RuntimeError, OSError):
            raise ConfigurationError("this is no PKCS#11 library", location=str(module)) from None

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """See ``KeyProvider``."""
        nonce = os.urandom(NONCE_BYTES)
        with self._session() as session:
            kek = self._keks(session)[-1]
            params = GCMParams(nonce, context, _TAG_BITS)
            sealed = kek.encrypt(bytes(key), mechanism=Mechanism.AES_GCM, mechanism_param=params)
            return Wrapped(self.name, self._named(kek), nonce + bytes(sealed))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """See ``KeyProvider``."""
        nonce, sealed = wrapped.blob[:NONCE_BYTES], wrapped.blob[NONCE_BYTES:]
        if len(sealed) != KEY_BYTES + TAG_BYTES:
            raise Tampered("a wrapped key is not of its length")
        with self._session() as session:
            known = {self._named(one): one for one in self._keks(session)}
            if wrapped.key_id not in known:
                fix = f"put key {wrapped.key_id} back into the token"
                raise KeyUnavailable("another key-encryption key wrapped this", fix=fix)
            try:
                params = GCMParams(nonce, context, _TAG_BITS)
                return bytearray(
                    known[wrapped.key_id].decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=params)
                )
            except _NOT_OPENED:
                raise Tampered("the token does not open a wrapped key where it lies") from None

    def current(self) -> str:
        """See ``KeyProvider``."""
        with self._session() as session:
            return self._named(self._keks(session)[-1])

    def rotate(self) -> str:
        """See ``KeyProvider``: another key in the token, which it makes itself; the first one too."""
        with self._session(writing=True) as session:
            keks = self._keks(session, may_be_none=True)
            number = int.from_bytes(keks[-1].id, "big") + 1 if keks else 1
            return self._named(
                session.generate_key(
                    KeyType.AES,
                    8 * KEY_BYTES,
                    id=number.to_bytes(_ID_BYTES, "big"),
                    label=self._label,
                    store=True,
                    template=_TEMPLATE,
                )
            )

    def forget(self, key_id: str) -> bool:
        """Not from here: what a token destroys nobody brings back."""
        raise ConfigurationError("the token keeps the key", fix="destroy it with the tools of the HSM")

    def _keks(self, session: Any, *, may_be_none: bool = False) -> list[Any]:
        wanted = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.LABEL: self._label,
        }
        found = sorted(session.get_objects(wanted), key=lambda one: int.from_bytes(one.id, "big"))
        if not found and not may_be_none:
            fix = "make one in the token: AES-256 with this label and the id 00000001"
            raise KeyUnavailable("the token has no key of this label", fix=fix)
        return found

    def _named(self, kek: Any) -> str:
        return f"{self._label}:{bytes(kek.id).hex()}"

    @contextmanager
    def _session(self, *, writing: bool = False) -> Iterator[Any]:
        pin = secret_in(self._pin)
        try:
            with (
                self._turn,
                self._lib.get_token(token_label=self._token).open(rw=writing, user_pin=pin) as session,
            ):
                yield session
        except (said.PinIncorrect, said.PinLocked, said.PinInvalid, said.PinExpired) as error:
            fix = "give the right PIN, before too many tries lock the token"
            raise KeyUnavailable(f"the token refuses the PIN ({type(error).__name__})", fix=fix) from None
        except (said.NoSuchToken, said.MultipleTokensReturned):
            raise KeyUnavailable("there is no one token of this label", fix="see [keys.pkcs11]") from None
        except _GONE as error:
            raise KeysOutOfReach(f"the token does not answer ({type(error).__name__})") from None
        except said.PKCS11Error as error:
            raise KeyUnavailable(f"the token refuses ({type(error).__name__})") from None
