"""Access tokens for the partner's FHIR endpoint: SMART backend services, client side.

Client credentials (RFC 6749, 4.4) with an assertion signed by our key (RFC 7523; SMART App Launch 2.2,
"Asymmetric authentication"). Authlib writes and reads the token request. The rest is ours: its
``PrivateKeyJWT`` has no kid, lives an hour and can repeat its jti; its lock for renewals leaves out the
first token and asks by the wall clock; and it accepts a token of any form.
"""

from __future__ import annotations

import asyncio
import copy
import re
import ssl
import time
from collections.abc import Awaitable, Callable, MutableMapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2
from authlib.common.urls import add_params_to_qs
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from connector.edges.client_assertion import ClientAssertion
from connector.edges.http_exchange import WAITS, BoundedTransport, Waits
from connector.edges.http_replies import refusal
from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    InvalidJson,
    PartnerBusy,
    PartnerRefusedUs,
)
from connector.fhir import json

RENEW_SECONDS: Final = 30.0  # before the end of a token's life
LAST_SECONDS: Final = 5.0  # before its end, in which it might end on the way
AGAIN_SECONDS: Final = 5.0  # from a renewal that failed to the next, while the old token still counts
ANSWER_LIMIT: Final = 64 * 1024  # bytes
_ASSUMED_LIFE: Final = 300.0  # seconds, where the server does not say; the longest that SMART allows
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]{1,16384}=*")  # b64token, RFC 6750, 2.1
Obtained = Callable[[int], Awaitable[None]]
_OF_TRANSPORT: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})
_PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
_FINAL: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)


class TokenSource:
    """Gives the current access token and gets a new one when needed, once for all who wait.

    ``url``: the token endpoint; ``key_path``: our private key (JWK with a kid, EC P-384 or P-256, or RSA),
    readable only by its owner; ``audience``: of the assertion, "" for ``url``; ``context``: not shared with
    MLLP, because HTTP sets its ALPN protocols there; ``obtained``: told of each new token, with its life in
    seconds, before it is used; what it raises keeps it from being used. Raises ConfigurationError or
    KeyUnavailable when the key cannot be used.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        key_path: Path,
        scope: str,
        audience: str,
        context: ssl.SSLContext,
        *,
        waits: Waits = WAITS,
        obtained: Obtained | None = None,
    ) -> None:
        self._obtained = obtained
        self._url, self._client_id, self._audience = url, client_id, audience or url
        self._proof = ClientAssertion(client_id, key_path, self._audience)
        self._transport = BoundedTransport(
            url, context, waits=waits, answer_limit=ANSWER_LIMIT, connections=2
        )
        self._client = self._oauth_client(scope)
        self._renewing: asyncio.Task[str] | None = None
        self._token = ""
        self._until = self._ends = 0.0  # when it is renewed, and when it is of no use any more

    async def token(self) -> str:
        """An access token that lives for a while yet; all who wait for one share what becomes of one request.

        Where a new one cannot be had before the old one ends, the old one is given until then. Raises
        PartnerRefusedUs (the server does not know us, our key or the scope; TLS), PartnerBusy,
        PartnerUnreachable, AnswerNotUnderstood (no bearer token in the answer).
        """
        if not self._token or time.monotonic() >= self._until:
            return await self._renewed()
        return self._token

    def invalidate(self, token: str) -> None:
        """Forget this token, which the partner no longer takes; a newer one stays."""
        if token == self._token:
            self._token = ""

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._transport.reload(context)

    def cut(self) -> None:
        """End all connections at once; what is under way has failed."""
        self._transport.cut()

    async def close(self) -> None:
        """Close the connections."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._client.aclose()

    def assertion(self) -> str:
        """A fresh signed assertion (RFC 7523, 3), good for one request."""
        return self._proof.fresh()

    def _oauth_client(self, scope: str) -> Any:
        client = AsyncOAuth2Client(
            client_id=self._client_id,
            scope=scope,
            token_endpoint_auth_method="private_key_jwt",  # noqa: S106 (the name of a method)
            transport=_Through(self._transport),
            trust_env=False,
            follow_redirects=False,
        )
        client.headers.update({"Accept-Encoding": "identity", "User-Agent": "connector"})
        client.register_client_auth_method(("private_key_jwt", self._signed))
        client.register_compliance_hook("access_token_response", _checked)
        return client

    def _signed(
        self, client: Any, method: str, uri: str, headers: MutableMapping[str, str], body: bytes
    ) -> tuple[str, MutableMapping[str, str], bytes]:
        """Authlib's shape of a client authentication: the request with our assertion in its form."""
        return uri, headers, add_params_to_qs(body.decode("ascii"), self._proof.form()).encode("ascii")

    async def _renewed(self) -> str:
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="access token")
            self._renewing.add_done_callback(self._over)
        try:
            return await asyncio.shield(self._renewing)  # who gives up does not stop it for the others
        except DeliveryError as error:
            failure = copy.copy(error)  # who catches it may write into it
        if self._token and time.monotonic() < self._ends:
            self._until = min(time.monotonic() + AGAIN_SECONDS, self._ends)
            return self._token
        raise failure

    def _over(self, done: asyncio.Task[str]) -> None:
        self._renewing = None
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits for it any more

    async def _renew(self) -> str:
        asked = time.monotonic()
        answer = await self._fetched()
        token, kind = answer.get("access_token"), answer.get("token_type")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or str(kind).lower() != "bearer":
            raise AnswerNotUnderstood("the token server's answer holds no bearer token")
        life = _life(answer.get("expires_in"))
        if self._obtained is not None:
            await self._obtained(int(life))
        self._token, self._until = token, asked + max(life - RENEW_SECONDS, life / 2)
        self._ends = asked + max(life - LAST_SECONDS, life / 2)
        return token

    async def _fetched(self) -> dict[str, Any]:
        try:
            answer = await self._client.fetch_token(self._url, grant_type="client_credentials")
        except OAuthError as error:
            raise _refused(error.error) from None
        except (httpx2.HTTPError, ValueError, TypeError, OverflowError):
            raise AnswerNotUnderstood("the token server's answer cannot be read") from None
        return dict(answer)


class _Through(httpx2.AsyncBaseTransport):
    """Takes Authlib's requests to our own transport."""

    def __init__(self, transport: BoundedTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to a request for a token; where to, and how long it is, the transport says itself."""
        headers = {name: value for name, value in request.headers.items() if name not in _OF_TRANSPORT}
        target = request.url.raw_path.decode("ascii")
        answer = await self._transport.ask(request.method, target, headers, await request.aread())
        return httpx2.Response(
            answer.status, headers=dict(answer.headers), content=answer.content, request=request
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _checked(answer: httpx2.Response) -> httpx2.Response:
    """The answer, if Authlib may read it: a success or an OAuth error, and a JSON object."""
    if answer.status_code not in (200, 400, 401, 403):
        raise _of_server(refusal(answer.status_code, after=answer.headers.get("retry-after", "")))
    try:
        content = json.loads(answer.content)
    except InvalidJson:
        content = None
    if answer.status_code != 200 and not (isinstance(content, dict) and content.get("error")):
        raise PartnerRefusedUs(f"the token server answers {answer.status_code}", fix="see its log")
    if not isinstance(content, dict):
        raise AnswerNotUnderstood("the token server's answer is no JSON object")
    return answer


def _of_server(error: DeliveryError) -> DeliveryError:
    """A refusal of the token request: no message is at fault, so none may be parked for it."""
    if error.answer.retry == "never":
        return PartnerRefusedUs(f"token: {error.what}", fix="check the address of the token endpoint")
    return error


def _refused(code: object) -> DeliveryError:
    word = code if isinstance(code, str) else ""
    if word in _PASSING:
        return PartnerBusy("the token server cannot answer now")
    said = f": {word}" if word in _FINAL else ""  # no other text of the server goes into an error
    return PartnerRefusedUs(
        f"the token server refuses us{said}", fix="compare client id, key id, scope and audience with it"
    )


def _life(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 < value < 2**31:
        return _ASSUMED_LIFE
    return float(value)
