"""Keys of OAuth from files: the issuer's public ones (RFC 7517) and our own private one."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from connector.errors import ConfigurationError, InvalidJson, KeyUnavailable
from connector.fhir import json

ALGORITHMS: Final = ("RS384", "ES384", "PS256", "ES256")
_KINDS: Final = {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521")}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
MIN_RSA_BITS: Final = 2048

SigningKey = ECKey | RSAKey


class VerifyingKeys:
    """An issuer's public keys by key id."""

    def __init__(self, keys: dict[str, tuple[dict[str, Any], SigningKey]]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: Path, algorithms: tuple[str, ...]) -> VerifyingKeys:
        """The keys of a JWKS file.

        Raises ``ConfigurationError`` when the file or an algorithm is not usable, a key has no id or one
        that occurs twice, is private or symmetric, is weak, or when no key fits any algorithm.
        """
        unknown = [name for name in algorithms if name not in _KINDS and name not in _RSA]
        if unknown or not algorithms:
            raise ConfigurationError(
                "an algorithm for tokens is not known or not asymmetric", fix="see ALGORITHMS"
            )
        keys: dict[str, tuple[dict[str, Any], SigningKey]] = {}
        for entry in _entries(path):
            kid = entry.get("kid")
            if not isinstance(kid, str) or not kid or kid in keys:
                raise _fault(path, "a key has no kid, or one that occurs twice")
            keys[kid] = entry, _public(path, entry)
        if not any(fits(entry, key, name) for entry, key in keys.values() for name in algorithms):
            raise _fault(path, "no key fits the accepted algorithms")
        return cls(keys)

    def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """The key of that id, if it may verify signatures of this algorithm."""
        entry, key = self._keys.get(kid, (None, None)) if isinstance(kid, str) else (None, None)
        return key if entry is not None and key is not None and fits(entry, key, algorithm) else None


def _entries(path: Path) -> list[dict[str, Any]]:
    keys = _read(path).get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(entry, dict) for entry in keys):
        raise _fault(path, "it holds no key set")
    return keys


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, InvalidJson):
        content = None
    if not isinstance(content, dict):
        raise _fault(path, "it cannot be read as JSON")
    return content


def _public(path: Path, entry: dict[str, Any]) -> SigningKey:
    if entry.get("kty") not in ("EC", "RSA") or "d" in entry:
        raise _fault(path, "a key is private or symmetric: only public EC and RSA keys belong there")
    return _imported(path, entry)


def _imported(path: Path, entry: dict[str, Any]) -> SigningKey:
    if entry.get("kty") == "RSA" and len(str(entry.get("n", ""))) * 6 < MIN_RSA_BITS:  # 6 bits a character
        raise _fault(path, f"an RSA key is shorter than {MIN_RSA_BITS} bits")
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if not isinstance(key, ECKey | RSAKey):
        raise _fault(path, "a key cannot be read as EC or RSA")
    return key


def fits(entry: dict[str, Any], key: SigningKey, algorithm: str) -> bool:
    """Whether this key, by its kind, curve, ``use`` and ``alg``, is one for this algorithm."""
    if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return False
    if isinstance(key, ECKey):
        return _KINDS.get(algorithm) == ("EC", key.curve_name)
    return algorithm in _RSA


def private_key(path: Path, algorithm: str = "") -> tuple[SigningKey, str]:
    """Our own key for signing and its kid, from a JWK file that only we can read.

    ``algorithm``: the one that the key must be for, "" for any. Raises ``KeyUnavailable`` when others may
    read it, ``ConfigurationError`` when it is no such key.
    """
    if path.exists() and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise KeyUnavailable("the client key may be read by others", fix=f"chmod 600 {path}")
    entry = _read(path)
    kid = entry.get("kid")
    if "d" not in entry or not isinstance(kid, str) or not kid:
        raise _fault(path, "it holds no private JWK with a kid")
    key = _imported(path, entry)
    if algorithm and not fits(entry, key, algorithm):
        raise _fault(path, f"its key is not one for {algorithm}")
    return key, kid


def _fault(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"the key file cannot be used: {what}", fix="see RFC 7517", location=str(path))
