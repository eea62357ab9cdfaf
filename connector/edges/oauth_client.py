"""Our own access token: client credentials with a signed assertion (SMART backend services).

Authlib speaks to the token endpoint; the assertion is ours, because Authlib's has no kid, lives an hour
and repeats its jti. However many deliveries wait for a token, one request asks for it; it is renewed
before its end; and it is never sent to another origin than the one it was asked for.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt

from connector.edges.http_outgoing import busy, origin_of, unreachable
from connector.edges.jwks import private_key
from connector.errors import AnswerNotUnderstood, ConfigurationError, ConnectorError, PartnerRefusedUs

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 120  # SMART allows 300; less leaves less to steal
MAX_TOKEN: Final = 16_384  # characters
_WHOM: Final = "authorization server"
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_SAYS: Final = frozenset(  # RFC 6749, 5.2: the words of the answer that may be repeated
    {
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
        "unsupported_grant_type", "invalid_scope",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we are known to the authorization server.

    ``key``: file with our private JWK (with kid, readable by us only); ``audience`` of the assertion:
    the token address unless the server wants another; ``origin``: an address of the FHIR side, the only
    one that the token goes to.
    """

    token_url: str
    client_id: str
    key: Path
    scope: str
    origin: str
    audience: str = ""
    algorithm: str = "ES384"


@dataclass(slots=True)
class _Token:
    text: str
    renew_at: float


class TokenSource:
    """Gives access tokens for one origin. ``clock`` gives seconds since the epoch.

    ``transport`` is ``http_outgoing.transport(context)``; it stays the caller's to close.
    Raises ``ConfigurationError`` and ``KeyUnavailable`` when the credentials cannot be used.
    """

    def __init__(
        self,
        credentials: Credentials,
        transport: httpx2.AsyncBaseTransport,
        *,
        clock: Callable[[], float] = time.time,
        renew_before: float = 60.0,
        timeout: float = 10.0,
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._renew_before = renew_before
        self._timeout = timeout
        self._key, self._kid = private_key(credentials.key, credentials.algorithm)
        self.origin = origin_of(credentials.origin)
        origin_of(credentials.token_url)
        self._client = self._authlib(transport)
        self._token: _Token | None = None
        self._renewal: asyncio.Task[str] | None = None

    async def token(self, url: str | httpx2.URL) -> str:
        """A token for a request to this address, good for a while.

        Raises ``ConfigurationError`` for an address of another origin, ``PartnerRefusedUs`` when the
        authorization server does not know us, ``PartnerBusy``, ``PartnerUnreachable`` and
        ``AnswerNotUnderstood`` when it cannot say.
        """
        if origin_of(url) != self.origin:
            raise ConfigurationError(
                "the token is for another origin", fix="one token source for each origin"
            )
        if self._token is not None and self._clock() < self._token.renew_at:
            return self._token.text
        return await self._renewed()

    def forget(self, refused: str) -> None:
        """The FHIR side did not take this token: ask for another, unless that has happened already."""
        if self._token is not None and secrets.compare_digest(self._token.text, refused):
            self._token = None

    async def aclose(self) -> None:
        """End a request that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renewed(self) -> str:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(), name="token")
            self._renewal.add_done_callback(self._settled)
        return await asyncio.shield(self._renewal)  # one waiter that gives up does not end it for all

    def _settled(self, renewal: asyncio.Task[str]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # seen here too: perhaps nobody waits any more

    async def _fetch(self) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.fetch_token(
                    self._credentials.token_url, grant_type="client_credentials"
                )
        except (ConnectorError, httpx2.HTTPError, OAuthError, OSError, ValueError, TypeError) as error:
            failure = _failure(error)
        else:
            return self._kept(answer)
        raise failure  # outside: the causes hold the request with our assertion

    def _kept(self, answer: MutableMapping[str, Any]) -> str:
        text, kind, seconds = (answer.get(name) for name in ("access_token", "token_type", "expires_in"))
        good = isinstance(text, str) and len(text) <= MAX_TOKEN and _TOKEN.match(text)
        if not good or not isinstance(text, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise AnswerNotUnderstood("the token answer holds no bearer token", fix="see RFC 6749, 5.1")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 10**7:
            raise AnswerNotUnderstood("the token answer does not say how long it lasts", fix="expires_in")
        margin = min(self._renew_before, seconds / 5)
        self._token = _Token(text, self._clock() + seconds - margin)
        return text

    def _authlib(self, transport: httpx2.AsyncBaseTransport) -> AsyncOAuth2Client:
        client = AsyncOAuth2Client(
            client_id=self._credentials.client_id,
            scope=self._credentials.scope,
            token_endpoint_auth_method="private_key_jwt",  # noqa: S106 (the name of a method)
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=self._timeout,
        )
        client.register_client_auth_method(("private_key_jwt", self._authenticate))
        client.register_compliance_hook("access_token_response", self._checked)
        return client

    def _authenticate(
        self, auth: object, method: str, uri: str, headers: MutableMapping[str, str], body: bytes | str
    ) -> tuple[str, MutableMapping[str, str], str]:
        """Authlib's hook: the request to the token endpoint with our assertion in its form (RFC 7523)."""
        form = parse_qsl(body.decode() if isinstance(body, bytes) else body)
        assertion = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", self._assertion())]
        return uri, headers, urlencode(form + assertion)

    def _assertion(self) -> str:
        now, us = int(self._clock()), self._credentials.client_id
        claims = {
            "iss": us,
            "sub": us,
            "aud": self._credentials.audience or self._credentials.token_url,
            "jti": secrets.token_urlsafe(24),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        algorithm = self._credentials.algorithm
        return jwt.encode({"alg": algorithm, "kid": self._kid, "typ": "JWT"}, claims, self._key, [algorithm])

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        """Authlib's hook: what is no answer of a token endpoint does not get to its parser."""
        if answer.status_code == 429 or answer.status_code >= 500:
            raise busy(answer, _WHOM, self._clock())
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" or answer.status_code not in (200, 400, 401, 403):
            if answer.status_code in (401, 403):
                raise _refused("")
            raise AnswerNotUnderstood(f"the {_WHOM} answers {answer.status_code} without JSON")
        return answer


def _failure(error: Exception) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, OAuthError):
        return _refused(error.error if isinstance(error.error, str) and error.error in _SAYS else "")
    if isinstance(error, httpx2.HTTPError | OSError) and not isinstance(error, httpx2.HTTPStatusError):
        return unreachable(error, _WHOM)
    return AnswerNotUnderstood("the token answer cannot be read", fix="see RFC 6749, 5.1")


def _refused(word: str) -> PartnerRefusedUs:
    fix = "compare client id, key id, scopes and audience with what is registered there"
    return PartnerRefusedUs(f"the {_WHOM} gives us no token{': ' if word else ''}{word}", fix=fix)
