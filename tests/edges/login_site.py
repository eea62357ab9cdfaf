"""A service that people log in to, its OpenID provider, and browsers; all over real mutual TLS."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from connector.edges.acceptor import listen
from connector.edges.http_server import HttpServer, serve_http
from connector.edges.operator_api import PREFIX, create_operator_app
from connector.edges.operator_desk import Desk
from connector.edges.operator_guard import OperatorGuard
from connector.profile.load import load
from connector.profile.login import Login
from connector.profile.people import BreakGlass
from connector.wiring.login import People
from tests.mllp.loopback import Site as Tls
from tests.pki import write_private
from tests.profile.planted import DEMO
from tests.store.site import NOW, open_store

from .openid_provider import CLIENT, SECRET, OpenIdProvider, key_file
from .operator_site import OperatorSite, operators
from .partner_site import Open

ROLES = {"ops": "operator", "science": "analyst", "audit": "auditor", "security": "security-officer"}


@dataclass
class Browser:
    """What a person has open: cookies, and one certificate."""

    client: httpx2.AsyncClient
    site: LoginSite

    async def begin(self) -> httpx2.URL:
        """As far as the provider's page; where it sends the browser."""
        sent = await self.client.get("/login")
        assert sent.status_code == 303, sent.text
        async with httpx2.AsyncClient(verify=self.site.context, trust_env=False) as elsewhere:
            answer = await elsewhere.get(sent.headers["location"])
        return httpx2.URL(answer.headers["location"])

    async def log_in(self) -> httpx2.Response:
        return await self.client.get(await self.begin())

    async def get(self, path: str) -> httpx2.Response:
        return await self.client.get(f"{PREFIX}{path}")

    async def post(self, path: str, body: Any, origin: str | None = "") -> httpx2.Response:
        headers = {} if origin is None else {"origin": origin or self.site.base}
        return await self.client.post(f"{PREFIX}{path}", json=body, headers=headers)

    def cookie(self) -> str:
        return str(self.client.cookies.get("__Host-session") or "")


@dataclass
class LoginSite:
    folder: Path
    operating: OperatorSite
    tls: Tls
    provider: OpenIdProvider
    base: str
    people: People
    now: list[dt.datetime]

    @property
    def context(self) -> Any:
        return self.tls.client_context()

    def pass_by(self, **time: float) -> None:
        self.now[0] += dt.timedelta(**time)

    @asynccontextmanager
    async def browser(self, peer: str = "client") -> AsyncIterator[Browser]:
        context = self.tls.client_context(peer)
        async with httpx2.AsyncClient(base_url=self.base, verify=context, trust_env=False) as client:
            yield Browser(client, self)

    def audited(self, tag: str) -> list[dict[str, Any]]:
        return self.operating.audited(tag)


def login(folder: Path, issuer: str, base: str, method: str, /, **changed: Any) -> Login:
    """The section of the settings."""
    write_private(folder / "client.key.json", key_file().encode())
    write_private(folder / "secret", SECRET.encode() + b"\n")
    ways = {"private_key_jwt": {"key": folder / "client.key.json"}}
    ways |= {"client_secret_basic": {"secret": folder / "secret"}}
    said: dict[str, Any] = {"issuer": issuer, "client_id": CLIENT, "base": base, "roles": ROLES}
    return Login(**{**said, **ways.get(method, {}), **changed})


@asynccontextmanager
async def logging_in(
    folder: Path, method: str = "private_key_jwt", *, tokens: bool = False, **changed: Any
) -> AsyncIterator[LoginSite]:
    """The whole of it; ``changed``: keys of the section; ``tokens``: clients may come too."""
    tls, now = Tls(folder), [NOW]
    sockets = [listen("127.0.0.1", 0) for _ in range(2)]
    base, issuer = (f"https://localhost:{one.getsockname()[1]}" for one in sockets)
    issuer = f"{issuer}/realm"
    provider = OpenIdProvider(issuer, f"{base}/login/callback", lambda: now[0].timestamp(), method)
    operating = OperatorSite(folder, open_store(folder), tls, f"{base}{PREFIX}")
    chosen = login(folder, issuer, base, method, **changed)
    secured = Open(lambda: tls.client_context("connector-own"))
    people = People(chosen, operating.store, secured, lambda: now[0])
    glass = BreakGlass(roles=("operator",), minutes=30)
    parts: dict[str, bool | str] = {}
    desk = Desk(operating.store, [load(DEMO)], lambda: now[0], lambda: parts, dict, glass)
    guard = OperatorGuard(operators(folder), clock=lambda: 1_800_000_000) if tokens else None
    app = Starlette(
        routes=[*people.routes, Mount(PREFIX, create_operator_app(desk, guard, None, people.desk))]
    )
    servers = [serve_http(one, at, tls.server_context()) for one, at in zip((app, provider.app), sockets)]
    async with _up(servers):
        yield LoginSite(folder, operating, tls, provider, base, people, now)
        await people.close()
    await operating.store.close()


@asynccontextmanager
async def _up(servers: list[HttpServer]) -> AsyncIterator[None]:
    for server in servers:
        await server.start()
    try:
        yield
    finally:
        for server in servers:
            await server.close(grace=0.2)
