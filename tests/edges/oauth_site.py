"""An issuer for tests: its keys, its key set in a file, and the tokens it signs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from connector.edges.oauth import Issuer, TokenGuard

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

    def issuer(self, **options: Any) -> Issuer:
        path = self.folder / "issuer.jwks.json"
        path.write_text(json.dumps({"keys": self.keys}))
        return Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=path, **options)

    def guard(self, now: float = NOW, **options: Any) -> TokenGuard:
        return TokenGuard(self.issuer(**options), clock=lambda: now)


def bearer(text: str) -> Iterable[str]:
    return [f"Bearer {text}"]
