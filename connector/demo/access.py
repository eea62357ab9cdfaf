"""Who may do what at the sandbox: client credentials with a signed assertion, scopes on every call.

RFC 7523 (the assertion), RFC 9068 (the access token), SMART App Launch 2 backend services (the limits and
the grammar of scopes).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from connector.demo import tokens
from connector.demo.resources import Refusal

CLIENT: Final = "connector"  # the one registered client
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SCOPE: Final = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.(c?r?u?d?s?|read|write|\*)")
_VERSION_1: Final = {"read": "rs", "write": "cud", "*": "cruds"}


class TokenRefused(Exception):
    """The error answer of the token endpoint (RFC 6749 section 5.2)."""

    def __init__(self, error: str, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.error, self.why, self.status = error, why, status


class Access:
    """Issues the sandbox's access tokens and checks them; ``url`` is the sandbox's own address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.token_url, self.audience = f"{url}/token", f"{url}/fhir"
        self._key = tokens.read_key(folder, "sandbox")
        self._own_keys = tokens.read_keys(folder, "sandbox")
        self._client_keys = tokens.read_keys(folder, "client")
        self._seen: dict[str, float] = {}  # jti of an assertion -> when it expires

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a token request; raises ``TokenRefused``."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused("unsupported_grant_type", "only client_credentials is offered")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise TokenRefused("invalid_client", "a client shows itself with a JWT assertion", 401)
        claims = _claims(form.get("client_assertion", ""), self._client_keys, "JWT")
        self._check_assertion(claims)
        scope = form.get("scope", "")
        if not scope or any(not _SCOPE.fullmatch(word) for word in scope.split(" ")):
            raise TokenRefused("invalid_scope", "ask for SMART system scopes")
        token = tokens.access_token(
            self._key, issuer=self.token_url, audience=self.audience, client=claims["sub"], scope=scope
        )
        life = tokens.LONGEST
        return {"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": scope}

    def check(self, authorization: str) -> dict[str, Any]:
        """The claims behind an ``Authorization`` header; refuses with 401."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "login", "an access token is required")
        try:
            claims = _claims(token, self._own_keys, "at+jwt")
            registry = jwt.JWTClaimsRegistry(
                aud={"essential": True, "value": self.audience},
                iss={"essential": True, "value": self.token_url},
                exp={"essential": True},
            )
            registry.validate(claims)
        except (TokenRefused, JoseError):
            raise Refusal(401, "login", "the access token is not valid here") from None
        return claims

    def _check_assertion(self, claims: dict[str, Any]) -> None:
        now = time.time()
        registry = jwt.JWTClaimsRegistry(
            aud={"essential": True, "value": self.token_url},
            iss={"essential": True, "value": CLIENT},
            sub={"essential": True, "value": CLIENT},
            jti={"essential": True},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise TokenRefused("invalid_client", f"the assertion is not valid: {error.error}", 401) from None
        if claims["exp"] > now + tokens.LONGEST + 5:  # a clock may run a little ahead
            raise TokenRefused("invalid_client", "the assertion lives too long", 401)
        self._seen = {jti: until for jti, until in self._seen.items() if until > now}
        if claims["jti"] in self._seen:
            raise TokenRefused("invalid_client", "the assertion was used before", 401)
        self._seen[claims["jti"]] = claims["exp"]


def permit(scope: str, type_: str, verb: str) -> None:
    """Refuse with 403 unless a scope allows ``verb`` (one of c r u d s) on resources of ``type_``."""
    for word in scope.split(" "):
        found = _SCOPE.fullmatch(word)
        if found and found[1] in ("*", type_) and verb in _VERSION_1.get(found[2], found[2]):
            return
    raise Refusal(403, "forbidden", f"no scope allows this on {type_}")


def _claims(token: str, keys: KeySet, kind: str) -> dict[str, Any]:
    try:
        decoded = jwt.decode(token, keys, algorithms=[tokens.ALGORITHM])
    except (JoseError, ValueError):
        raise TokenRefused("invalid_client", "the signature or the form is not valid", 401) from None
    if "kid" not in decoded.header or decoded.header.get("typ") != kind:
        raise TokenRefused("invalid_client", f"kid and typ {kind} are required", 401)
    return decoded.claims
