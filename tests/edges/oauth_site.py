"""An issuer for tests: its keys, its key set in a file, and the tokens it signs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from connector.edges.issuer_keys import IssuerKeys, KnownKeys
from connector.edges.jwks import VerifyingKeys
from connector.edges.oauth import Issuer, Principal, TokenGuard

NOW = 1_800_000_000
ISSUER = "https://issuer.test"
AUDIENCE = "https://connector.test/fhir"
FINGERPRINT = "sha256:" + "ab" * 32

_EC: dict[str, ECKey] = {}
_RSA: dict[str, RSAKey] = {}


def ec(curve: str = "P-384", name: str = "ours") -> ECKey:
    """An EC key, the same one for the same name."""
    key = f"{name} {curve}"
    if key not in _EC:
        _EC[key] = ECKey.generate_key(curve)
    return _EC[key]


def rsa(name: str = "ours") -> RSAKey:
    if name not in _RSA:
        _RSA[name] = RSAKey.generate_key(2048)
    return _RSA[name]


def keyset() -> list[dict[str, Any]]:
    return [
        {**ec("P-384").as_dict(private=False), "kid": "es384"},
        {**ec("P-256").as_dict(private=False), "kid": "es256"},
        {**rsa().as_dict(private=False), "kid": "rsa"},
        {**rsa().as_dict(private=False), "kid": "rsa-for-ps256", "alg": "PS256"},
        {**ec("P-384", "encryption").as_dict(private=False), "kid": "encryption", "use": "enc"},
    ]


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims; None removes one."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "fhir-side",
        "client_id": "fhir-side",
        "jti": "a1",
        "iat": NOW - 10,
        "exp": NOW + 290,
        "scope": "system/Patient.cu system/Observation.c",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(content: dict[str, Any] | bytes, header: dict[str, Any] | None = None, key: Any = None) -> str:
    head = {"alg": "ES384", "typ": "at+jwt", "kid": "es384", **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
    return jws.serialize_compact(head, payload, key or ec(), registry=registry)


def token(scope: str = "system/*.cruds", **changed: Any) -> str:
    return signed(claims(scope=scope, **changed))


@dataclass
class IssuerSite:
    """A folder with the issuer's key set."""

    folder: Path
    keys: list[dict[str, Any]] = field(default_factory=keyset)

    @property
    def jwks(self) -> Path:
        """The file, as the keys are now."""
        path = self.folder / "issuer.jwks.json"
        path.write_text(json.dumps({"keys": self.keys}))
        return path

    def issuer(self, **options: Any) -> Issuer:
        return Issuer(issuer=ISSUER, audience=AUDIENCE, **options)

    def guard(
        self, now: float = NOW, monotonic: Callable[[], float] = time.monotonic, **options: Any
    ) -> TokenGuard:
        issuer = self.issuer(**options)
        keys = IssuerKeys.of_file(self.jwks, issuer.algorithms, clock=monotonic)
        return TokenGuard(issuer, keys, clock=lambda: now)


def at_once(check: Coroutine[Any, Any, Principal]) -> Principal:
    """What a check says that waits for nothing, without an event loop."""
    try:
        check.send(None)
    except StopIteration as ended:
        found: Principal = ended.value
        return found
    check.close()
    raise AssertionError("the check waits")


def known_guard(now: float = NOW, **options: Any) -> TokenGuard:
    """A guard over keys that are at hand."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, **options)
    keys = VerifyingKeys.published({"keys": keyset()}, issuer.algorithms, "test")
    return TokenGuard(issuer, KnownKeys(keys), clock=lambda: now)


def bearer(text: str) -> Iterable[str]:
    return [f"Bearer {text}"]
