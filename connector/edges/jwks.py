"""Keys of OAuth: an issuer's or a client's public ones (RFC 7517) and our own private one."""

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
_SECRET: Final = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})  # members of private keys
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192  # a larger one makes each check a burden
MOST_KEYS: Final = 100  # of one set

SigningKey = ECKey | RSAKey


class VerifyingKeys:
    """Public keys by key id."""

    def __init__(self, keys: dict[str, tuple[dict[str, Any], SigningKey]]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: Path, algorithms: tuple[str, ...]) -> VerifyingKeys:
        """The keys of a JWKS file.

        Raises ``ConfigurationError`` when the file or an algorithm is not usable, a key has no id or one
        that occurs twice, is private or symmetric, is weak, or when no key fits any algorithm.
        """
        return cls._checked(_entries(_read(path), str(path)), algorithms, str(path))

    @classmethod
    def published(cls, content: object, algorithms: tuple[str, ...], where: str) -> VerifyingKeys:
        """The keys of a set that somebody publishes; ``where``: from where, for errors.

        What this server has no use for is left out: kinds, curves and uses of key that are not ours, keys
        without an id. Raises ``ConfigurationError`` as ``read`` does for all the rest.
        """
        entries = [entry for entry in _entries(content, where) if _useful(entry)]
        return cls._checked(entries, algorithms, where)

    @classmethod
    def _checked(
        cls, entries: list[dict[str, Any]], algorithms: tuple[str, ...], where: str
    ) -> VerifyingKeys:
        unknown = [name for name in algorithms if name not in _KINDS and name not in _RSA]
        if unknown or not algorithms:
            raise ConfigurationError(
                "an algorithm for tokens is not known or not asymmetric", fix="see ALGORITHMS"
            )
        keys: dict[str, tuple[dict[str, Any], SigningKey]] = {}
        for entry in entries:
            kid = entry.get("kid")
            if not isinstance(kid, str) or not kid or kid in keys:
                raise _fault(where, "a key has no kid, or one that occurs twice")
            keys[kid] = entry, _public(where, entry)
        if not any(fits(entry, key, name) for entry, key in keys.values() for name in algorithms):
            raise _fault(where, "no key fits the accepted algorithms")
        return cls(keys)

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """The key of that id, if it may verify signatures of this algorithm."""
        entry, key = self._keys.get(kid, (None, None)) if isinstance(kid, str) else (None, None)
        return key if entry is not None and key is not None and fits(entry, key, algorithm) else None


def _entries(content: object, where: str) -> list[dict[str, Any]]:
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(entry, dict) for entry in keys):
        raise _fault(where, "it holds no key set")
    if len(keys) > MOST_KEYS:
        raise _fault(where, f"it holds more than {MOST_KEYS} keys")
    if any(_SECRET & entry.keys() or entry.get("kty") == "oct" for entry in keys):
        raise _fault(where, "a key is private or symmetric: only public EC and RSA keys belong there")
    return keys


def _useful(entry: dict[str, Any]) -> bool:
    curves = {curve for _, curve in _KINDS.values()}
    known = entry.get("kty") == "RSA" or (entry.get("kty") == "EC" and entry.get("crv") in curves)
    return known and bool(entry.get("kid")) and entry.get("use", "sig") == "sig"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, InvalidJson):
        content = None
    if not isinstance(content, dict):
        raise _fault(str(path), "it cannot be read as JSON")
    return content


def _public(where: str, entry: dict[str, Any]) -> SigningKey:
    if entry.get("kty") not in ("EC", "RSA"):
        raise _fault(where, "a key is neither EC nor RSA")
    return _imported(where, entry)


def _imported(where: str, entry: dict[str, Any]) -> SigningKey:
    bits = len(str(entry.get("n", ""))) * 6  # of a character; said before it costs anything to read it
    if entry.get("kty") == "RSA" and not MIN_RSA_BITS <= bits <= MAX_RSA_BITS + 6:
        raise _fault(where, f"an RSA key has not between {MIN_RSA_BITS} and {MAX_RSA_BITS} bits")
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if not isinstance(key, ECKey | RSAKey):
        raise _fault(where, "a key cannot be read as EC or RSA")
    return key


def fits(entry: dict[str, Any], key: SigningKey, algorithm: str) -> bool:
    """Whether this key, by its kind, curve, ``use``, ``key_ops`` and ``alg``, is one for this algorithm."""
    if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return False
    uses = entry.get("key_ops", ["verify"])
    if not isinstance(uses, list) or not any(use in ("verify", "sign") for use in uses):
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
        raise _fault(str(path), "it holds no private JWK with a kid")
    key = _imported(str(path), entry)
    if algorithm and not fits(entry, key, algorithm):
        raise _fault(str(path), f"its key is not one for {algorithm}")
    return key, kid


def _fault(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"the keys cannot be used: {what}", fix="see RFC 7517", location=where)
