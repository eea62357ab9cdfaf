"""An audit record repository for tests: takes syslog over real mutual TLS, and is as good or bad as asked.

``Receiver`` lives in the test; ``python -m tests.edges.syslog_site FOLDER PORT`` is one in a process of its
own, which has written each message to ``FOLDER/received`` before it reads on, so that it can be killed.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from audit import syslog
from connector.edges.tls import Context, TlsFiles, client_context, server_context
from connector.store import Logged

from ..pki import Authority, SiteFiles

How = Literal["good", "never reads", "closes at once", "no goodbye", "deaf to goodbye", "talks"]


def files(site: SiteFiles) -> TlsFiles:
    return TlsFiles(site.certificate, site.key, site.trust, site.crl)


def write(logged: Logged) -> bytes:
    """An entry as a message whose content is the entry itself."""
    return syslog.write(syslog.Message(85, logged.entry.encode()))


@dataclass
class Receiver:
    """``how``: what it does with connections; ``seen``: the numbers of the entries, in the order read;
    ``ends``: for each connection how many messages it brought."""

    folder: Path
    how: How = "good"
    seen: list[int] = field(default_factory=list)
    messages: list[syslog.Message] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    port: int = 0
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    server: asyncio.Server | None = None
    live: list[Talk] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.authority = Authority()
        self.own = self.authority.write(self.folder, "repository")
        self.theirs = self.authority.write(self.folder, "connector")

    @property
    def context(self) -> Context:
        """Ours, of a client."""
        return client_context(files(self.theirs))

    def took(self, message: bytes) -> None:
        found = syslog.read(message)
        self.messages.append(found)
        self.seen.append(json.loads(found.content)["seq"])
        self.came.set()

    async def until(self, count: int) -> None:
        """Until so many different entries came."""
        async with asyncio.timeout(10):
            while len(set(self.seen)) < count:
                self.came.clear()
                await self.came.wait()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        made = context or server_context(files(self.own))
        self.server = await loop.create_server(
            lambda: Talk(self), "127.0.0.1", self.port, ssl=made, ssl_shutdown_timeout=1
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """As if its process went away: what it had not read is lost."""
        assert self.server is not None
        self.server.close()
        for one in self.live:
            one.transport.abort()
        await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        await self.start()
        try:
            yield self
        finally:
            await self.kill()


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, site: Receiver) -> None:
        self._site, self._frames, self.count = site, syslog.Frames(), 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._site.live.append(self)
        self._site.connected.set()
        how = self._site.how
        if how == "closes at once":
            self.transport.abort()
        elif how == "never reads":
            _raw(self.transport).pause_reading()
        elif how == "talks":
            self.transport.write(b"220 mail.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._frames.receive(data)
        for message in self._frames.messages():
            self._site.took(message)
            self.count += 1
        if self._site.how == "deaf to goodbye":
            _raw(self.transport).pause_reading()

    def eof_received(self) -> bool:
        if self._site.how == "no goodbye":
            _raw(self.transport).close()
        assert self._frames.empty or self._site.how != "good"
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._site.ends.append(self.count)
        self._site.live.remove(self)


def _raw(transport: Any) -> Any:
    """The TCP below the TLS."""
    return transport._ssl_protocol._transport


def in_order(seen: Iterable[int], window: int) -> list[int]:
    """The entries as they came for the first time. Fails where one comes again from further back than the
    window, or before one that it follows."""
    first: list[int] = []
    known = set[int]()
    for one in seen:
        if one in known:
            assert first[-1] - one < window, f"{one} came again after {first[-1]}"
        else:
            assert not first or one == first[-1] + 1, f"{one} came after {first[-1]}"
            first.append(one)
            known.add(one)
    return first


class _Kept(Receiver):
    """Writes down what it read."""

    file: BinaryIO

    def __post_init__(self) -> None:
        self.own = SiteFiles(
            *(self.folder / f"repository.{one}" for one in ("pem", "key")), *_trust(self.folder)
        )
        self.file = (self.folder / "received").open("ab", buffering=0)

    def took(self, message: bytes) -> None:
        self.file.write(syslog.frame(message))


def _trust(folder: Path) -> tuple[Path, Path]:
    return folder / "ca.pem", folder / "crl.pem"


async def _serve(folder: Path, port: int) -> None:
    site = _Kept(folder, port=port)
    await site.start()
    print(site.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
