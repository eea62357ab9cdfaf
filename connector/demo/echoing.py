"""Both partners of a site as they should not be: they quote what they were sent in every answer they give."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Literal

from connector.demo import tls
from connector.demo.messages import acknowledge, frame
from connector.demo.site import Site

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Mood = Literal["take", "refuse", "fail", "garble"]

_PASSING: Final = (OSError, EOFError, asyncio.IncompleteReadError, ValueError, ssl.SSLError)
_LARGEST: Final = 64 * 1024 * 1024
_JSON: Final = "application/fhir+json"


class Echoing:
    """Listens where the site's partners do. ``mood``: how it answers from now on; ``answered``: how often."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._servers: list[asyncio.Server] = []
        self.mood: Mood = "take"
        self._talks: set[asyncio.Task[None]] = set()
        self._told_one = asyncio.Event()
        self.answered: Counter[tuple[str, Mood]] = Counter()

    async def start(self) -> None:
        """Begin to listen."""
        for name, port, converse in (
            ("fhir", self._site.ports.sandbox, self._fhir),
            ("hospital", self._site.ports.hospital, self._v2),
        ):
            context = tls.server_context(self._site.folder, name)
            listens = partial(self._talk, converse)
            self._servers.append(
                await asyncio.start_server(listens, "127.0.0.1", port, ssl=context, limit=_LARGEST)
            )

    async def close(self) -> None:
        """End both."""
        for server in self._servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks)

    async def _talk(
        self, converse: Converse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        talk = asyncio.current_task()
        assert talk is not None  # noqa: S101 - for the type checker
        self._talks.add(talk)
        with contextlib.suppress(*_PASSING, asyncio.CancelledError):
            while True:
                await converse(reader, writer)
                await writer.drain()
        writer.close()

    def _count(self, side: str) -> None:
        self.answered[side, self.mood] += 1
        self._told_one.set()

    async def until(self, side: str, mood: Mood, seconds: float = 20.0) -> bool:
        """Whether a side has answered in a mood, waiting for it at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.answered[side, mood]:
                    self._told_one.clear()
                    await self._told_one.wait()
        return bool(self.answered[side, mood])

    async def _v2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = await reader.readuntil(b"\x1c\r")
        writer.write(frame(self._acknowledged(received[received.index(b"\x0b") + 1 : -2])))
        self._count("v2")

    def _acknowledged(self, message: bytes) -> bytes:
        if self.mood == "garble":
            return message
        said = acknowledge(message, "AA" if self.mood == "take" else "AE", "ECHO", "20260101000000")
        if self.mood == "take":
            return said
        code = b"102" if self.mood == "refuse" else b"207"
        quoted = message.replace(b"\r", b" ").replace(b"|", b" ").replace(b"^", b" ")
        return (
            said[:-1] + b"|" + quoted + b"\rERR||PID^1^5|" + code + b"^" + quoted + b"|E||||" + quoted + b"\r"
        )

    async def _fhir(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if "/token" in line:
            token = {"access_token": "echo", "token_type": "Bearer", "expires_in": 300}
            writer.write(_answer(200, json.dumps(token).encode(), "application/json"))
            return
        writer.write(self._told(line, body))
        self._count("fhir")

    def _told(self, line: str, body: bytes) -> bytes:
        quoted = line + body.decode("utf-8", "replace")
        if self.mood == "refuse":
            issue = {"severity": "error", "code": "invalid", "diagnostics": quoted, "expression": [quoted]}
            outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
            return _answer(422, json.dumps(outcome).encode(), _JSON)
        if self.mood == "fail":
            return _answer(500, quoted.encode(), "text/html")
        if self.mood == "garble":
            return _answer(200, b'{"resourceType": "' + quoted.encode(), _JSON)
        if not line.startswith("POST"):
            return _answer(404, b"{}", _JSON)
        return _answer(200, json.dumps(_taken(json.loads(body))).encode(), _JSON)


def _taken(bundle: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {"response": {"status": "200", "etag": 'W/"1"', "location": f"{one['request']['url']}/_history/1"}}
        for one in bundle.get("entry", ())
    ]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


def _answer(status: int, body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body
