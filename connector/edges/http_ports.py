"""What the HTTP edge needs of the rest: who takes a submission, who checks tokens, who hears of refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from connector.edges.oauth import Principal
from connector.errors import ConnectorError


class Peer(Protocol):
    """The TLS peer, as the acceptor leaves it in ``scope["state"]["peer"]``."""

    @property
    def fingerprint(self) -> str: ...  # "sha256:<hex>" of the certificate
    @property
    def subject(self) -> str: ...
    @property
    def address(self) -> str: ...


class Kind(StrEnum):
    """How a resource came in."""

    TRANSACTION = "transaction"
    BATCH = "batch"
    MESSAGE = "message"
    CREATE = "create"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Submission:
    """One authorised and valid request, before anything was done about it."""

    kind: Kind
    resource: dict[str, Any] = field(repr=False)  # the bundle, or the one resource
    raw: bytes = field(repr=False)  # the body as sent
    verb: str  # the SMART letter of a single resource (c or u); "" for bundles
    resource_type: str  # "Bundle" for bundles
    resource_id: str  # of an update; "" otherwise
    if_match: str  # the If-Match header as sent (W/"3"); "" without
    principal: Principal
    peer: Peer


@dataclass(frozen=True, slots=True)
class Accepted:
    """The submission is durable. ``correlation_id``: the inbox record."""

    correlation_id: str
    duplicate: bool = False


class Intake(Protocol):
    """Takes submissions: durable and audited when ``submit`` returns."""

    async def submit(self, submission: Submission) -> Accepted:
        """Raises a ``ConnectorError`` when nothing was taken."""
        ...

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        """Told of every 4xx and 5xx (its first error), for the audit log, before the answer goes out."""
        ...

    async def ready(self) -> Mapping[str, bool | str]:
        """What must work, by name: True, or False or a text that says why not."""
        ...

    def warnings(self) -> Mapping[str, str]:
        """What works yet and will not, or works by what was before, by name."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Numbers to watch, by name."""
        ...


class Guard(Protocol):
    """Says who asks (``oauth.TokenGuard``).

    Raises ``Unauthenticated``, ``Forbidden`` or ``IssuerUnavailable``.
    """

    async def check(self, authorization: Sequence[str], fingerprint: str) -> Principal: ...
