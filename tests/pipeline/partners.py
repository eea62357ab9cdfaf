"""A service in this process, and a hospital that speaks MLLP to it over real mutual TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector import settings
from connector.app import Service
from connector.demo import tls
from connector.demo.site import Site
from connector.hl7v2.tree import Message
from connector.mllp import frame
from connector.wiring import open_store

PATIENCE = 20.0  # seconds


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Service]:
    """The service of a site."""
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


@dataclass
class Talk:
    """One connection of a partner."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def address(self) -> str:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    def say(self, *texts: str) -> None:
        self.writer.write(b"".join(frame(text.encode()) for text in texts))

    async def hear(self, seconds: float = PATIENCE) -> Message:
        block = await asyncio.wait_for(self.reader.readuntil(b"\x1c\r"), seconds)
        return Message.parse(block[1:-2].decode())

    async def ask(self, text: str) -> tuple[str, str]:
        """Code and control id of the answer."""
        self.say(text)
        return said(await self.hear())

    async def silent(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for so long."""
        try:
            await asyncio.wait_for(self.reader.readexactly(1), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def talking(site: Site, holder: str = "hospital") -> AsyncIterator[Talk]:
    """A connection to the service."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        site.ports.mllp,
        ssl=tls.client_context(site.folder, holder),
        server_hostname="localhost",
    )
    try:
        yield Talk(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


def said(message: Message) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    return message.get("MSA-1"), message.get("MSA-2")


@dataclass
class Listener:
    """A partner's own listener for application acknowledgments; ``code``: what it confirms them with."""

    folder: Path
    code: str = ""
    got: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    port: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Listener]:
        context: ssl.SSLContext = tls.server_context(self.folder, "hospital")
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                block = await reader.readuntil(b"\x1c\r")
                message = Message.parse(block[1:-2].decode())
                self.got.put_nowait(message)
                if self.code:
                    writer.write(frame(commit(message, self.code).encode()))
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()


def commit(message: Message, code: str = "CA") -> str:
    """A commit acknowledgment as a partner writes it."""
    identity = message.msh.field(10)
    return (
        rf"MSH|^~\&|STVADT|STV|CONNECTOR|DEMO|20261123||ACK|C{identity}|P|2.5.1"
        + f"\rMSA|{code}|{identity}\r"
    )
