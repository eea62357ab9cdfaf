"""How we prove who we are to an authorization server: an assertion signed by our key.

Sources: RFC 7523, section 3; SMART App Launch 2.2, "Asymmetric authentication" (kid, at most five minutes).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey

from connector.edges.jwks import SigningKey, private_key
from connector.errors import ConfigurationError

ASSERTION_SECONDS: Final = 240  # SMART allows 300; the rest is for clocks that differ
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384"}


class ClientAssertion:
    """Makes assertions of one client for one authorization server.

    ``key``: our private key (JWK with a kid, EC P-384 or P-256, or RSA), readable only by its owner;
    ``audience``: the authorization server as it names itself. Raises ``ConfigurationError`` or
    ``KeyUnavailable`` when the key cannot be used.
    """

    def __init__(
        self, client_id: str, key: Path, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client_id, self._audience, self._clock = client_id, audience, clock
        self._key, self._kid = private_key(key)
        self._algorithm = _algorithm(self._key, key)

    def fresh(self) -> str:
        """A signed assertion that was never used, good for one request."""
        now = int(self._clock())
        claims: dict[str, Any] = {"iss": self._client_id, "sub": self._client_id, "aud": self._audience}
        claims |= {"iat": now, "exp": now + ASSERTION_SECONDS, "jti": uuid.uuid4().hex}
        header = {"alg": self._algorithm, "typ": "JWT", "kid": self._kid}
        return jwt.encode(header, claims, self._key, [self._algorithm])

    def form(self) -> list[tuple[str, str]]:
        """The members of a form that carry a fresh assertion (RFC 7521, 4.2)."""
        return [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", self.fresh())]


def _algorithm(key: SigningKey, path: Path) -> str:
    name = _CURVES.get(key.curve_name) if isinstance(key, ECKey) else "RS384"
    if name is None:
        raise ConfigurationError(
            "the key file cannot be used: its curve is not P-384 or P-256", location=str(path)
        )
    return name
