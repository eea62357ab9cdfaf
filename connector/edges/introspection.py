"""Access tokens that only their issuer can read: it is asked (RFC 7662), and all it says is judged here too.

An issuer that answers "active" has judged the token for itself, not for us: for whom it is, whose, until when
and over which certificate are our questions. An answer is remembered for some seconds, never longer than the
token lives, under the digest of the token; several that wait for the same answer ask once.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import structlog

from connector.edges.client_assertion import ClientAssertion
from connector.edges.issuer_site import IssuerSite
from connector.edges.oauth import Principal, bearer, principal
from connector.edges.oauth_claims import WHERE, Issuer, invalid, moment, text
from connector.errors import IssuerUnavailable, Overloaded, Unauthenticated

_log: Final = structlog.get_logger(__name__)

REMEMBERED: Final = 1024  # answers
AT_ONCE: Final = 32  # questions; tokens that nobody knows cost the issuer no more than that


class _Answer(NamedTuple):
    """What the issuer said of a token; ``claims`` None: that it is not active."""

    claims: dict[str, Any] | None
    until: float  # seconds since the epoch


class Introspection:
    """Asks an issuer what tokens are worth.

    ``url``: the endpoint; ``client_id``: we, there; ``proof``: our assertions, None where the issuer knows us
    by our certificate (RFC 8705, 2); ``seconds``: how long an answer is remembered; ``clock``: seconds since
    the epoch.
    """

    def __init__(
        self,
        site: IssuerSite,
        url: str,
        client_id: str,
        proof: ClientAssertion | None,
        *,
        seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._site, self._url, self._client_id, self._proof = site, url, client_id, proof
        self._seconds, self._clock = seconds, clock
        self._known: OrderedDict[bytes, _Answer] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[_Answer]] = {}

    async def claims(self, token: str) -> dict[str, Any]:
        """What the issuer says of an active token.

        Raises ``Unauthenticated`` where it is not active, ``IssuerUnavailable`` where nobody says so, and
        ``Overloaded`` where too much is asked at once.
        """
        digest = hashlib.sha256(token.encode("ascii")).digest()
        answer = self._known.get(digest)
        if answer is None or answer.until <= self._clock():
            self._known.pop(digest, None)
            answer = await self._asked(digest, token)
        if answer.claims is None:
            raise invalid("is not active", "ask the issuer for a new one")
        return answer.claims

    async def close(self) -> None:
        """Give up what is being asked."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _asked(self, digest: bytes, token: str) -> _Answer:
        if digest not in self._asking:
            if len(self._asking) >= AT_ONCE:
                raise Overloaded("too many tokens are being asked about", fix="send it again", location=WHERE)
            task = asyncio.create_task(self._ask(token), name="introspection")
            self._asking[digest] = task
            task.add_done_callback(lambda done: self._learned(digest, done))
        return await asyncio.shield(self._asking[digest])

    def _learned(self, digest: bytes, done: asyncio.Task[_Answer]) -> None:
        del self._asking[digest]
        if not done.cancelled() and done.exception() is None and done.result().until > self._clock():
            self._known[digest] = done.result()
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    async def _ask(self, token: str) -> _Answer:
        shown = [("client_id", self._client_id), *(self._proof.form() if self._proof else [])]
        form = urlencode([("token", token), ("token_type_hint", "access_token"), *shown]).encode()
        try:
            said = await self._site.post(self._url, form)
        except IssuerUnavailable as error:
            _log.warning("a token cannot be asked about", path=self._url, exc=error)
        else:
            return self._judged(said)
        raise IssuerUnavailable(
            "the issuer does not say what the token is worth",
            fix="send it again later; the operators of this server see why in its log",
            location=WHERE,
        )

    def _judged(self, said: dict[str, Any]) -> _Answer:
        now = self._clock()
        if said.get("active") is not True:
            return _Answer(None, now + self._seconds)
        claims = {"iat": int(now), **said}  # RFC 7662 need not say it: then it lives from now on
        try:
            ends = moment(claims, "exp")
        except Unauthenticated:  # it is refused with all the rest, and not remembered
            ends = now
        return _Answer(claims, min(now + self._seconds, ends))


class IntrospectionGuard:
    """Checks tokens of one issuer that only it can read. ``clock``: seconds since the epoch."""

    def __init__(
        self, issuer: Issuer, introspection: Introspection, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer, self._introspection, self._clock = issuer, introspection, clock

    async def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """As ``TokenGuard.check``, by what the issuer says; raises ``Overloaded`` too."""
        claims = await self._introspection.claims(bearer(authorization))
        if text(claims, "token_type", "Bearer").lower() != "bearer":
            raise invalid("is no bearer token", "send an access token, not a token for renewals")
        return principal(claims, self._issuer, self._clock(), fingerprint)
