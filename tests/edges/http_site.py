"""The HTTP edge with an intake that writes down what it is told, and a peer as TLS would leave it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.edges.http_api import create_app
from connector.edges.http_ports import Accepted, Peer, Submission
from connector.edges.oauth import Principal
from connector.errors import ConnectorError
from connector.fhir import json, validate

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
    soon: dict[str, str] = field(default_factory=dict)
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

    def warnings(self) -> Mapping[str, str]:
        return self.soon

    def figures(self) -> Mapping[str, float]:
        return {"audit_unsealed": 3}


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


SECRET = "Everywoman"
PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1", "name": [{"family": SECRET}]}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "Hb"},
    "valueQuantity": {"value": Decimal("0.40")},
}
TRANSACTION: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/p1", "ifMatch": 'W/"2"'}},
        {"resource": OBSERVATION, "request": {"method": "POST", "url": "Observation"}},
        {"request": {"method": "DELETE", "url": "Encounter/e1"}},
    ],
}
HEADER = {
    "resourceType": "MessageHeader",
    "eventCoding": {"code": "A08"},
    "source": {"endpoint": "urn:oid:1.2"},
}
MESSAGE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "message",
    "entry": [{"resource": HEADER}, {"resource": PATIENT}],
}


async def post(
    site: Site, path: str, resource: Any, scope: str | None = "system/*.cruds", **headers: str
) -> httpx2.Response:
    async with site.client(scope, **headers) as client:
        return await client.post(path, content=json.dumps(resource))


async def put(
    site: Site, path: str, resource: Any, scope: str | None = "system/*.cruds", **headers: str
) -> httpx2.Response:
    async with site.client(scope, **headers) as client:
        return await client.put(path, content=json.dumps(resource))


def expressions(answer: httpx2.Response) -> list[str]:
    return [place for issue in answer.json()["issue"] for place in issue.get("expression", [])]


def assert_refused(site: Site, answer: httpx2.Response, status: int) -> None:
    """A refusal is an OperationOutcome with a place, is audited, takes nothing and repeats no value."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith(FHIR)
    assert validate.fast(json.loads(answer.content)) == []
    assert expressions(answer)
    assert SECRET not in answer.text + str(answer.headers)
    assert site.notebook.taken == []
    assert [error.answer.status for _, _, error in site.notebook.refusals][-1:] == [status]
    assert SECRET not in str(site.notebook.refusals[-1][2])


def changed(resource: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    found = copy.deepcopy(resource)
    node: Any = found
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return found
