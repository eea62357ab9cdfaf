"""Who may send FHIR, and what is told of a submission."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from connector.edges import oauth, scopes
from connector.edges.http_ports import Accepted, Peer, Submission
from connector.edges.introspection import IntrospectionGuard
from connector.edges.oauth import Principal, TokenGuard
from connector.edges.oauth_claims import WHERE, invalid
from connector.edges.oauth_documents import Described
from connector.errors import ConnectorError, Forbidden, Unauthenticated
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Supervisor
from connector.profile.endpoint import FhirCaller


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """One link's FHIR side: whose tokens count, what its clients may at most, and from which certificates.

    ``may_send``: whether the holder of a certificate, by its fingerprint, may send for this side. ``signed``
    judges JWTs, ``opaque`` tokens that only the issuer can read; ``endpoint``: where the issuer says that
    tokens are to be had, "" for nowhere.
    """

    settings: FhirCaller
    may_send: Callable[[str], bool]
    signed: TokenGuard | None = None
    opaque: IntrospectionGuard | None = None
    endpoint: Callable[[], Awaitable[str]] | None = None
    _most: Mapping[str, frozenset[scopes.Scope]] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        most = {client: scopes.parse(" ".join(said)) for client, said in self.settings.clients.items()}
        object.__setattr__(self, "_most", most)

    async def check(self, authorization: Sequence[str], fingerprint: str, *, jwt: bool = True) -> Principal:
        """Who asks, with no more than the profile grants.

        Raises ``Unauthenticated``, ``Forbidden``, ``IssuerUnavailable``.
        """
        guard = (self.signed or self.opaque) if jwt else self.opaque
        if guard is None:
            raise invalid("is not a signed JWT", "ask the issuer for JWT access tokens (RFC 9068)")
        principal = await guard.check(authorization, fingerprint)
        if not self.may_send(fingerprint):
            raise Forbidden(
                "this certificate may not speak for the client",
                fix="name it under [fhir.from] in the profile",
                location="http.connection",
            )
        granted = scopes.within(principal.scopes, self._most[principal.client_id])
        return dataclasses.replace(principal, scopes=granted)

    def knows(self, fingerprint: str) -> bool:
        """Whether this certificate may come at all."""
        return self.may_send(fingerprint)

    async def described(self) -> Described:
        """What peers are told of the issuer."""
        endpoint = self.settings.token_endpoint
        if not endpoint and self.endpoint is not None:
            endpoint = await self.endpoint()
        return Described(self.settings.issuer, endpoint, self.settings.certificate_bound)


class Callers:
    """The callers of all links; each token is one of theirs or nobody's."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._callers = callers
        self._first: dict[str, Caller] = {}
        self._named: dict[tuple[str, str], Caller] = {}
        for one in callers:
            self._first.setdefault(one.settings.issuer, one)
            self._named |= {(one.settings.issuer, client): one for client in one.settings.clients}

    async def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """As the one caller says that the token can be for. Raises as ``Caller.check`` does."""
        if not self._callers:
            fix = "add [fhir.from] to a profile"
            raise Unauthenticated("no profile lets anybody send FHIR", fix=fix, location=WHERE)
        claims = oauth.unverified(oauth.bearer(authorization))
        if claims is None:
            return await self._reader(fingerprint).check(authorization, fingerprint, jwt=False)
        return await self._of(claims).check(authorization, fingerprint)

    async def described(self, fingerprint: str) -> Sequence[Described]:
        """The issuers whose tokens may come over this certificate, for ``oauth_documents``."""
        return [await one.described() for one in self._callers if one.knows(fingerprint)]

    def _of(self, claims: dict[str, Any]) -> Caller:
        """Chosen by what nobody has vouched for yet: whoever is chosen believes none of it."""
        issuer, client = claims.get("iss"), claims.get("client_id")
        if not isinstance(issuer, str) or issuer not in self._first:
            raise invalid("comes from another issuer", "ask a configured authorization server")
        known = self._named.get((issuer, client)) if isinstance(client, str) else None
        return known or self._first[issuer]

    def _reader(self, fingerprint: str) -> Caller:
        """Who can have a token read that says nothing by itself: it is shown to no issuer but its own, and
        only the certificate tells whose it can be."""
        can = [one for one in self._callers if one.opaque is not None and one.knows(fingerprint)]
        if not can:
            raise invalid("is not a signed JWT", "ask the issuer for JWT access tokens (RFC 9068)")
        if len(can) > 1:
            fix = "name the certificates of each under [fhir.from] in the profiles"
            raise invalid("could be of more than one link", fix)
        return can[0]


Ready = Callable[[], Mapping[str, bool | str]]


class Watched(Protocol):
    """What watches the files of TLS."""

    def ready(self) -> Mapping[str, bool | str]:
        """Parts, by name: True, or why not."""
        ...

    def warnings(self) -> Mapping[str, str]:
        """What works yet, and will not."""
        ...


class Counted(Protocol):
    """What seals the audit log."""

    def ready(self) -> Mapping[str, bool | str]:
        """Parts, by name: True, or why not."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Numbers to watch, by name."""
        ...


class Fed(Protocol):
    """What feeds repositories with the audit log."""

    def warnings(self) -> Mapping[str, str]:
        """What stands while all else works."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Numbers to watch, by name."""
        ...


class Vouched(Watched, Fed, Protocol):
    """Who vouches for the audit log from outside."""


class Intake:
    """What the HTTP edge hands its requests to."""

    def __init__(
        self,
        receiver: FhirReceiver,
        supervisor: Supervisor,
        tls: Watched,
        audit: Counted,
        feeds: Fed,
        *parts: Ready,
        beside: Vouched | None = None,
    ) -> None:
        self._receiver, self._supervisor, self._tls = receiver, supervisor, tls
        self._audit, self._beside = audit, [feeds, *([beside] if beside else [])]
        self._parts = (audit.ready, *([beside.ready] if beside else []), *parts)

    async def submit(self, submission: Submission) -> Accepted:
        """Durable and audited when this returns; raises a ``ConnectorError`` when nothing was taken."""
        taken = await self._receiver.submit(submission)
        return Accepted(taken.correlation_id, taken.duplicate)

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        """Audits a refusal."""
        await self._receiver.refused(principal, peer, error)

    async def ready(self) -> Mapping[str, bool | str]:
        """The lanes, by name, TLS, and what else there is."""
        found = {**self._supervisor.ready(), **self._tls.ready()}
        for part in self._parts:
            found.update(part())
        return found

    def warnings(self) -> Mapping[str, str]:
        """What works yet, and will not."""
        found = dict(self._tls.warnings())
        for one in self._beside:
            found.update(one.warnings())
        return found

    def figures(self) -> Mapping[str, float]:
        """Numbers to watch, by name."""
        found = dict(self._audit.figures())
        for one in self._beside:
            found.update(one.figures())
        return found
