"""A FHIR side with its token endpoint over real mutual TLS, whose next answers a test writes down."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

from connector.edges.http_exchange import Waits
from connector.edges.tls import Context, TlsFiles, client_context, server_context
from connector.edges.token_source import TokenSource

from ..pki import Authority, SiteFiles, write_private
from .oauth_site import ec

FHIR_JSON = "application/fhir+json"


@dataclass
class Open:
    """TLS of a service; ``make``: the context of what it asks for; ``named``: the certificates that may send
    for a link, else all."""

    make: Callable[[], ssl.SSLContext]
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def context(self, name: str) -> Context:
        return cast("Context", self.make())

    def calls(self, name: str, caller: object) -> None:
        """Nothing changes here."""

    def may_send(self, link: str) -> Callable[[str], bool]:
        named = self.named.get(link)
        return lambda fingerprint: not named or fingerprint in named


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


def answer(
    status: int = 200, body: Any = b"", kind: str = FHIR_JSON, length: int | None = None, **headers: str
) -> bytes:
    """An HTTP answer as bytes; ``length`` lies about how long it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-length": str(len(content) if length is None else length), **headers}
    if kind:
        named["content-type"] = kind
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


def granted(seconds: Any = 300, number: int = 1, **changed: Any) -> bytes:
    content = {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": seconds, **changed}
    return answer(200, content, "application/json")


@dataclass
class Act:
    """A reply that writes for itself; then the connection is closed."""

    does: Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


Reply = bytes | Callable[[Asked], bytes] | Act | None  # None: never


@dataclass
class Partner:
    """``replies`` are given in turn, the last one for ever; ``tokens`` likewise by the token endpoint."""

    folder: Path
    replies: list[Reply] = field(default_factory=list)
    tokens: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    asked_for_tokens: list[Asked] = field(default_factory=list)
    port: int = 0
    delay: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = Authority()
        self.own = self.authority.write(self.folder, "fhir")
        self.theirs = self.authority.write(self.folder, "connector")
        key = ec("P-384", "client").as_dict(private=True)
        write_private(self.folder / "client.key.json", json.dumps({**key, "kid": "client-1"}).encode())

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}/fhir"

    @property
    def context(self) -> ssl.SSLContext:
        return client_context(files(self.theirs))

    @property
    def key(self) -> Path:
        return self.folder / "client.key.json"

    @property
    def token_url(self) -> str:
        return f"https://localhost:{self.port}/token"

    def source(
        self, context: ssl.SSLContext | None = None, audience: str = "", seconds: float = 5.0
    ) -> TokenSource:
        """Our token source for this partner; the caller closes it."""
        return TokenSource(
            self.token_url,
            "connector",
            self.key,
            "system/*.cruds",
            audience,
            self.context,
            waits=Waits(seconds, seconds, seconds, seconds, seconds),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Partner]:
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=server_context(files(self.own)), ssl_shutdown_timeout=0.1
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.over.set()
            for writer in self.writers:
                writer.transport.abort()
            await asyncio.gather(*self.tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.tasks.append(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = await _read(reader)
        mine, replies = (
            (self.asked_for_tokens, self.tokens) if asked.path == "/token" else (self.asked, self.replies)
        )
        mine.append(asked)
        await asyncio.sleep(self.delay)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Act):
            await reply.does(asked, writer)
            return False
        content = reply(asked) if callable(reply) else reply
        if content is None:
            await self.over.wait()
            return False
        writer.write(content)
        await writer.drain()
        declared = content.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return bool(declared) and int(declared) == len(content.partition(b"\r\n\r\n")[2])


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def files(site: SiteFiles) -> TlsFiles:
    return TlsFiles(site.certificate, site.key, site.trust, site.crl)
