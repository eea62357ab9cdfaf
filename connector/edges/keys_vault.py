"""Key-encryption keys in HashiCorp Vault: the transit secrets engine, which never gives a key away.

API: https://developer.hashicorp.com/vault/api-docs/secret/transit (encrypt, decrypt, keys, rotate). The key
must be of type ``aes256-gcm96``; whatever a version of Vault makes of ``associated_data``, what is wrapped
carries the digest of its context inside.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import ssl
import time
from pathlib import Path
from typing import Any, Final

import httpx2

from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store.keys import KEY_BYTES, Wrapped, secret_in

_CIPHERTEXT: Final = re.compile(r"vault:v([0-9]{1,9}):[A-Za-z0-9+/=]{1,4096}", re.ASCII)
_RENEW_SECONDS: Final = 3600.0
_ANSWER_BYTES: Final = 64 * 1024
_UNWELL: Final = frozenset({412, 429, 472, 473})  # not yet consistent, busy, a standby or a replica


class VaultKeyProvider:
    """See ``KeyProvider``. One transit key; its versions are the key-encryption keys."""

    name: Final = "vault"

    def __init__(
        self,
        url: str,
        ca: Path,
        token: Path,
        *,
        key: str,
        mount: str = "transit",
        namespace: str = "",
        seconds: float = 5.0,
    ) -> None:
        """``token``: a file that only its owner may read; it is read for each request, so that an agent may
        change it. ``ca``: the authorities that vouch for Vault, and no others. Raises ``ConfigurationError``.
        """
        self._token, self._key, self._mount = token, key, mount
        self._namespace = {"X-Vault-Namespace": namespace} if namespace else {}
        self._renewed = 0.0
        try:
            context = ssl.create_default_context(cafile=str(ca))
        except (OSError, ssl.SSLError):
            raise ConfigurationError("the authorities of Vault cannot be read", location=str(ca)) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._client = httpx2.Client(
            base_url=f"{url.rstrip('/')}/v1/",
            verify=context,
            timeout=seconds,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),  # it is asked a few times a day
        )

    def wrap(self, key: bytearray, context: bytes) -> Wrapped:
        """See ``KeyProvider``."""
        plain = base64.b64encode(key + hashlib.sha256(context).digest()).decode()
        answer = self._ask("POST", f"encrypt/{self._key}", {"plaintext": plain, **_bound(context)})
        said = str(answer.get("ciphertext", ""))
        version = _CIPHERTEXT.fullmatch(said)
        if version is None:
            raise KeysOutOfReach("Vault answers no ciphertext")
        self._renew()
        return Wrapped(self.name, self._named(version[1]), said.encode("ascii"))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytearray:
        """See ``KeyProvider``."""
        said = wrapped.blob.decode("ascii", "replace")
        version = _CIPHERTEXT.fullmatch(said)
        if version is None or self._named(version[1]) != wrapped.key_id:
            raise Tampered("a wrapped key is not of the key-encryption key that it names")
        answer = self._ask("POST", f"decrypt/{self._key}", {"ciphertext": said, **_bound(context)})
        try:
            plain = base64.b64decode(str(answer.get("plaintext", "")), validate=True)
        except binascii.Error:
            plain = b""
        if not hmac.compare_digest(plain[KEY_BYTES:], hashlib.sha256(context).digest()):
            raise Tampered("a wrapped key does not belong where it lies")
        self._renew()
        return bytearray(plain[:KEY_BYTES])

    def current(self) -> str:
        """See ``KeyProvider``."""
        version = self._ask("GET", f"keys/{self._key}").get("latest_version")
        if not isinstance(version, int) or version < 1:
            raise KeysOutOfReach("Vault does not say which version of the key is the latest")
        return self._named(str(version))

    def rotate(self) -> str:
        """See ``KeyProvider``: another version of the key."""
        self._ask("POST", f"keys/{self._key}/rotate")
        return self.current()

    def forget(self, key_id: str) -> bool:
        """Not from here."""
        raise ConfigurationError("Vault keeps the key", fix="raise min_decryption_version of the transit key")

    def _named(self, version: str) -> str:
        return f"{self._mount}/{self._key}:v{version}"

    def _ask(self, method: str, what: str, said: dict[str, str] | None = None) -> dict[str, Any]:
        return self._request(method, f"{self._mount}/{what}", said).get("data") or {}

    def _renew(self) -> None:
        """Ask for more time for the token, now and then; one that is not to be renewed runs out by itself."""
        now = time.monotonic()
        if self._renewed and now - self._renewed < _RENEW_SECONDS:
            return
        self._renewed = now
        try:
            self._request("POST", "auth/token/renew-self", {})
        except KeyUnavailable:
            return

    def _request(self, method: str, path: str, said: dict[str, str] | None) -> dict[str, Any]:
        headers = {"X-Vault-Token": secret_in(self._token), "X-Vault-Request": "true", **self._namespace}
        try:
            answer = self._client.request(method, path, json=said, headers=headers)
            status = answer.status_code
            if status == 204:
                return {}
            if len(answer.content) > _ANSWER_BYTES:
                raise KeysOutOfReach("Vault answers too much")
            found = answer.json() if status in (200, 400) else {}
        except (httpx2.HTTPError, ValueError) as error:
            raise KeysOutOfReach(f"Vault does not answer ({type(error).__name__})") from None
        if status == 200 and isinstance(found, dict):
            return found
        raise _refused(status)


def _refused(status: int) -> KeyUnavailable | Tampered:
    if status == 400:
        return Tampered("Vault does not open a wrapped key where it lies")
    if status in (401, 403):
        return KeyUnavailable("Vault refuses the token", fix="renew it, or see its policy")
    if status == 404:
        return KeyUnavailable("Vault has no such transit key", fix="see [keys.vault]: mount and key")
    if status >= 500 or status in _UNWELL:
        return KeysOutOfReach(f"Vault is sealed or unwell (HTTP {status})", fix="unseal it")
    return KeyUnavailable(f"Vault refuses (HTTP {status})")


def _bound(context: bytes) -> dict[str, str]:
    return {"associated_data": base64.b64encode(context).decode()}
