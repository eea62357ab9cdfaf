"""The FHIR API as it is served: over mutual TLS, behind the limits of the server, with a notebook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.edges.acceptor import listen
from connector.edges.http_api import create_app
from connector.edges.http_head import HeadLimits
from connector.edges.http_ports import Peer
from connector.edges.http_server import HttpServer, serve_http
from connector.errors import ConnectorError
from tests.mllp.loopback import Site as Tls
from tests.mllp.loopback import connected

from .http_site import BASE, FHIR, Notebook
from .oauth_site import IssuerSite, token

BODY = b'{"resourceType":"Patient","id":"p1"}'


@dataclass
class Answered:
    """One answer of HTTP/1.1, read off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def issue(self) -> dict[str, Any]:
        """The first issue of the OperationOutcome."""
        found: dict[str, Any] = json.loads(self.body)["issue"][0]
        return found


@dataclass
class Exposed:
    """A server and what its intake heard."""

    tls: Tls
    server: HttpServer
    notebook: Notebook

    @property
    def refused(self) -> list[str]:
        """The names of what was refused and told."""
        return [type(error).__name__ for _, _, error in self.notebook.refusals]

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        async with connected(self.tls, self.server.address[1]) as (reader, writer):
            yield Wire(reader, writer)


@dataclass
class Wire:
    """One connection, as bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, content: bytes) -> None:
        self.writer.write(content)

    def post(self, *headers: str, path: str = "/fhir/Patient", body: bytes = BODY, sent: str = "") -> None:
        """One request with a token that may do everything, or with ``sent`` in its place."""
        lines = [f"POST {path} HTTP/1.1", "Host: connector.test", f"Content-Type: {FHIR}", *headers]
        lines += [f"Authorization: Bearer {sent or token()}", f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    async def answer(self) -> Answered:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answered(int(first.split()[1]), headers, body)


@dataclass
class Options:
    """What is not as usual."""

    head: HeadLimits = field(default_factory=HeadLimits)
    app: dict[str, Any] = field(default_factory=dict)
    served: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def exposed(folder: Path, options: Options | None = None) -> AsyncIterator[Exposed]:
    said, notebook, tls = options or Options(), Notebook(), Tls(folder)
    guard = IssuerSite(folder).guard()
    app = create_app(notebook, guard, base=f"{BASE}/fhir", **said.app)

    async def heard(peer: Peer | None, error: ConnectorError) -> None:
        await notebook.refused(None, peer, error)

    server = serve_http(
        app, listen("127.0.0.1", 0), tls.server_context(), head=said.head, on_fault=heard, **said.served
    )
    await server.start()
    try:
        yield Exposed(tls, server, notebook)
    finally:
        await server.close(grace=0.2)
