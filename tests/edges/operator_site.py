"""The operators' API over real TLS and a real store, with an issuer of tokens and a client that has one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from starlette.applications import Starlette
from starlette.routing import Mount

from audit.keyfile import SigningKey
from connector.edges.acceptor import listen
from connector.edges.http_server import serve_http
from connector.edges.oauth import thumbprint_of
from connector.edges.operator_api import PREFIX, OperatorLimits, create_operator_app
from connector.edges.operator_desk import Desk
from connector.edges.operator_guard import OperatorGuard
from connector.profile.load import load
from connector.profile.operators import OPERATOR_SCOPES, Operators
from connector.store import Listed, Made, Store
from connector.wiring.auditing import Kept
from connector.wiring.exporting import ExportsOf
from tests.mllp.loopback import Site as Tls
from tests.profile.planted import DEMO
from tests.store.site import NOW, head, open_store, queue, rows, take

from .oauth_site import ISSUER, IssuerSite, claims, signed
from .oauth_site import NOW as SECONDS

AUDIENCE = "https://connector.test/operator"
CONSOLE = "console"
SECRET = "Everywoman"
WHY = {"because": "the partner is back"}
V2 = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A08|C1|P|2.5\rPID|1||7||" + SECRET.encode() + b"\r"


@dataclass
class OperatorSite:
    """One service as operators see it; ``parts`` and ``conditions`` are what the lanes say of themselves."""

    folder: Path
    store: Store
    tls: Tls
    url: str = ""
    app: Starlette = field(default_factory=Starlette)
    parts: dict[str, bool | str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.folder / "client.pem")

    def token(self, scope: str = " ".join(OPERATOR_SCOPES), **changed: Any) -> str:
        good = {"aud": AUDIENCE, "client_id": CONSOLE, "sub": "mia", "scope": scope}
        bound = {"cnf": {"x5t#S256": thumbprint_of(self.fingerprint)}}
        return signed(claims(**{**good, **bound, **changed}))

    @asynccontextmanager
    async def client(
        self, token: str | None = None, peer: str = "client"
    ) -> AsyncIterator[httpx2.AsyncClient]:
        headers = {"authorization": f"Bearer {self.token() if token is None else token}"}
        context = self.tls.client_context(peer)
        async with httpx2.AsyncClient(
            base_url=self.url, verify=context, headers=headers if token != "" else {}, trust_env=False
        ) as client:
            yield client

    async def get(self, path: str, token: str | None = None, **query: Any) -> httpx2.Response:
        async with self.client(token) as client:
            return await client.get(path, params=query or None)

    async def post(self, path: str, body: Any, token: str | None = None) -> httpx2.Response:
        async with self.client(token) as client:
            return await client.post(path, json=body)

    def audited(self, tag: str = "") -> list[dict[str, Any]]:
        """What operators did, the oldest first."""
        entries = [
            json.loads(row[0]) for row in rows(self.folder, "SELECT entry FROM audit_entry ORDER BY seq")
        ]
        return [one for one in entries if one["tag"] == tag or (not tag and one["tag"][:8] == "operator")]

    async def dead(self, control_id: str = "1", content: bytes = V2) -> Listed:
        """A received message that could not be translated."""
        row = (await take(self.store, control_id, content)).id
        await self.store.untranslatable(row, "SegmentSequence", [])
        found = await self.store.taken(row)
        assert found is not None
        return found

    async def refused(self, control_id: str = "1", *, stop: bool = False) -> Made:
        """A made message that the partner does not take."""
        await queue(self.store, f'{{"resourceType": "{SECRET}"}}'.encode(), control_id=control_id)
        item = await head(self.store)
        await self.store.intent(item.id, 1, NOW, [])
        await (self.store.refused if stop else self.store.dead)(item.id, "PartnerRefusedMessage", [])
        found = await self.store.made(item.id)
        assert found is not None
        return found


def fingerprint(certificate: Path) -> str:
    """As the acceptor names a peer."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return f"sha256:{digest.hex()}"


def operators(folder: Path, **changed: Any) -> Operators:
    """The section of the settings."""
    jwks = IssuerSite(folder).jwks
    said = {"issuer": ISSUER, "jwks": jwks, "audience": AUDIENCE, "clients": {CONSOLE: OPERATOR_SCOPES}}
    return Operators(**{**said, **changed})


@asynccontextmanager
async def operating(
    folder: Path, limits: OperatorLimits | None = None, **changed: Any
) -> AsyncIterator[OperatorSite]:
    """The API as it runs; ``changed``: keys of the section."""
    site = OperatorSite(folder, open_store(folder), Tls(folder))
    guard = OperatorGuard(operators(folder, **changed), clock=lambda: SECONDS)
    desk = Desk(site.store, [load(DEMO)], lambda: NOW, lambda: site.parts, lambda: site.conditions)
    kept = Kept(folder / "store.db", folder / "store.audit", SigningKey(folder / "key"), "site.example")
    desk = dataclasses.replace(desk, exports=ExportsOf(site.store, kept, lambda: NOW))
    site.app = Starlette(routes=[Mount(PREFIX, create_operator_app(desk, guard, limits))])
    server = serve_http(site.app, listen("127.0.0.1", 0), site.tls.server_context())
    await server.start()
    site.url = f"https://localhost:{server.address[1]}{PREFIX}"
    try:
        yield site
    finally:
        await server.close(grace=0.2)
        await site.store.close()


def assert_problem(answer: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    """A refusal says what it is and holds no value."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert (said["status"], said["error"]) == (status, name)
    assert said["detail"]
    assert SECRET not in answer.text
    return said
