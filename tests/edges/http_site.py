"""The HTTP edge with an intake that writes down what it is told, and a peer as TLS would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.edges.http_api import create_app
from connector.edges.http_ports import Accepted, Peer, Submission
from connector.edges.oauth import Principal
from connector.errors import ConnectorError

from .oauth_site import FINGERPRINT, IssuerSite, token

FHIR = "application/fhir+json"
BASE = "https://connector.test"


@dataclass(frozen=True)
class KnownPeer:
    fingerprint: str = FINGERPRINT
    subject: str = "CN=fhir-side"
    address: str = "127.0.0.1:5000"


@dataclass
class Notebook:
    """An intake that keeps what it is given in lists; ``fails`` is raised instead."""

    taken: list[Submission] = field(default_factory=list)
    refusals: list[tuple[Principal | None, Peer | None, ConnectorError]] = field(default_factory=list)
    fails: Exception | None = None
    deaf: Exception | None = None
    parts: dict[str, bool | str] = field(default_factory=lambda: {"store": True})
    duplicate: bool = False

    async def submit(self, submission: Submission) -> Accepted:
        if self.fails:
            raise self.fails
        self.taken.append(submission)
        return Accepted(f"inbox-{len(self.taken)}", self.duplicate)

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        if self.deaf:
            raise self.deaf
        self.refusals.append((principal, peer, error))

    async def ready(self) -> Mapping[str, bool | str]:
        return self.parts


class WithPeer:
    """Puts the peer where the TLS acceptor puts it."""

    def __init__(self, app: ASGIApp, peer: Peer | None) -> None:
        self.app, self.peer = app, peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.peer is not None:
            scope = {**scope, "state": {**scope.get("state", {}), "peer": self.peer}}
        await self.app(scope, receive, send)


@dataclass
class Site:
    """An application, its notebook, and a client that sends a token with every scope."""

    folder: Path
    peer: KnownPeer | None = field(default_factory=KnownPeer)
    options: dict[str, Any] = field(default_factory=dict)
    notebook: Notebook = field(default_factory=Notebook)

    def app(self) -> ASGIApp:
        guard = IssuerSite(self.folder).guard()
        built = create_app(self.notebook, guard, base=f"{BASE}/fhir", version="0.1.0", **self.options)
        return WithPeer(built, self.peer)

    def client(self, scope: str | None = "system/*.cruds", **headers: str) -> httpx2.AsyncClient:
        sent = {"content-type": FHIR, **headers}
        if scope is not None:
            sent.setdefault("authorization", f"Bearer {token(scope)}")
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app()), base_url=BASE, headers=sent, trust_env=False
        )
