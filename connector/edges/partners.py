"""Who may send FHIR, and what is told of a submission."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from connector.edges import scopes
from connector.edges.http_ports import Accepted, Peer, Submission
from connector.edges.oauth import Principal, TokenGuard
from connector.errors import ConnectorError, Forbidden, Unauthenticated
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Supervisor
from connector.profile.endpoint import FhirCaller


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """One link's FHIR side: whose tokens count, what its clients may at most, and from which certificates."""

    guard: TokenGuard
    settings: FhirCaller

    def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """Who asks, with no more than the profile grants. Raises ``Unauthenticated``, ``Forbidden``."""
        principal = self.guard.check(authorization, fingerprint)
        if self.settings.certificates and fingerprint not in self.settings.certificates:
            raise Forbidden(
                "this certificate may not speak for the client",
                fix="name its fingerprint under [fhir.from] in the profile",
                location="http.connection",
            )
        ceiling = scopes.parse(" ".join(self.settings.clients[principal.client_id]))
        return dataclasses.replace(principal, scopes=scopes.within(principal.scopes, ceiling))


class Callers:
    """The guards of all links; each token is one of theirs or nobody's."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._callers = callers

    def check(self, authorization: Sequence[str], fingerprint: str) -> Principal:
        """Raises ``Forbidden`` of the guard that knows the token, else what the last guard says."""
        refusal = Unauthenticated(
            "no profile lets anybody send FHIR",
            fix="add [fhir.from] to a profile",
            location="http.authorization",
        )
        for caller in self._callers:
            try:
                return caller.check(authorization, fingerprint)
            except Unauthenticated as error:  # another caller may know it; what is forbidden is final
                refusal = error
        raise refusal


class Intake:
    """What the HTTP edge hands its requests to."""

    def __init__(self, receiver: FhirReceiver, supervisor: Supervisor) -> None:
        self._receiver, self._supervisor = receiver, supervisor

    async def submit(self, submission: Submission) -> Accepted:
        """Durable and audited when this returns; raises a ``ConnectorError`` when nothing was taken."""
        taken = await self._receiver.submit(submission)
        return Accepted(taken.correlation_id, taken.duplicate)

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        """Audits a refusal."""
        await self._receiver.refused(principal, peer, error)

    async def ready(self) -> Mapping[str, bool | str]:
        """The lanes, by name."""
        return self._supervisor.ready()
