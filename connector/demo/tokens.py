"""Access tokens and client assertions of the demo site, signed ES384 (RFC 7518, SMART backend services).

``python -m connector.demo.tokens --site DIR`` prints an access token for the connector's API, which is
what the printed ``curl`` line uses.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.util import urlsafe_b64encode

from connector.demo.certificates import write_private

ALGORITHM: Final = "ES384"
ISSUER: Final = "https://issuer.demo.invalid"  # only a name: nothing is ever fetched from it
CONNECTOR_AUDIENCE: Final = "https://connector.demo.invalid/fhir"
LONGEST: Final = 300  # seconds a token or an assertion may live (SMART backend services 2.2)


def write_key(folder: Path, name: str) -> None:
    """A fresh signing key: ``<name>.key.json`` (private, 0600) and ``<name>.jwks.json`` (public)."""
    key = ECKey.generate_key("P-384", {"use": "sig", "alg": ALGORITHM, "kid": f"{name}-1"}, private=True)
    write_private(folder / f"{name}.key.json", _json(key.as_dict(private=True)))
    (folder / f"{name}.jwks.json").write_bytes(_json(dict(KeySet([key]).as_dict(private=False))))


def read_key(folder: Path, name: str) -> ECKey:
    """The private key ``write_key`` wrote."""
    return ECKey.import_key(json.loads((folder / f"{name}.key.json").read_bytes()))


def read_keys(folder: Path, name: str) -> KeySet:
    """The public keys ``write_key`` wrote."""
    return KeySet.import_key_set(json.loads((folder / f"{name}.jwks.json").read_bytes()))


def access_token(
    key: ECKey,
    *,
    issuer: str,
    audience: str,
    client: str,
    scope: str,
    life: int = LONGEST,
    certificate: bytes | None = None,
) -> str:
    """A JWT access token (RFC 9068), bound to ``certificate`` (PEM; RFC 8705 section 3.1) if one is given."""
    now = int(time.time())
    claims: dict[str, Any] = {"iss": issuer, "aud": audience, "sub": client, "client_id": client}
    claims |= {"scope": scope, "iat": now, "nbf": now, "exp": now + life, "jti": uuid.uuid4().hex}
    if certificate is not None:
        claims["cnf"] = {"x5t#S256": thumbprint(certificate)}
    return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key, [ALGORITHM])


def client_assertion(key: ECKey, *, client: str, audience: str, life: int = LONGEST) -> str:
    """A client assertion (RFC 7523 section 3) as SMART backend services ask for it."""
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": audience, "exp": now + life, "jti": uuid.uuid4().hex}
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}, claims, key, [ALGORITHM])


def connector_token(folder: Path, certificate: str, scope: str, life: int = LONGEST) -> str:
    """A token for the connector's API for the holder of ``<certificate>.pem``, from the site's issuer."""
    return access_token(
        read_key(folder, "issuer"),
        issuer=ISSUER,
        audience=CONNECTOR_AUDIENCE,
        client=certificate,
        scope=scope,
        life=life,
        certificate=(folder / f"{certificate}.pem").read_bytes(),
    )


def thumbprint(certificate: bytes) -> str:
    """``x5t#S256`` of a PEM certificate."""
    digest = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256())
    return urlsafe_b64encode(digest).decode("ascii")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n"


@click.command(help="Print an access token for the connector's API.")
@click.option("--site", type=click.Path(path_type=Path, exists=True), default=Path("var/demo"))
@click.option("--as", "holder", default="analyst", show_default=True, help="whose certificate it is bound to")
@click.option("--scope", default="system/*.cruds", show_default=True)
def main(site: Path, holder: str, scope: str) -> None:
    """The command behind ``python -m connector.demo.tokens``."""
    click.echo(connector_token(site, holder, scope))


if __name__ == "__main__":
    main()
