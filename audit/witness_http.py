"""A witness's HTTP/1.1 server: one address, small requests, everything bounded in size and in time.

Mutual TLS 1.3 is the normal way; without it only loopback is listened on. Sources: RFC 9112, C2SP
tlog-witness.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from audit.witness import PATH, PLAIN, Answer
from audit.witness_settings import Limits, Settings, SettingsRefused, Tls

HEAD: Final = 8 * 1024  # bytes of a request before its body
_THREADS: Final = 4
_PAUSE: Final = 0.1  # seconds until the next try where no connection could be accepted
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 411: "Length Required", 413: "Content Too Large",
    417: "Expectation Failed", 422: "Unprocessable Content", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 505: "HTTP Version Not Supported",
}  # fmt: skip

Ask = Callable[[bytes], Answer]


class BadRequest(ValueError):
    """What came is no request that is answered here; the connection ends with the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def context(files: Tls) -> ssl.SSLContext:
    """TLS 1.3, a certificate asked of everybody, no resumption. Raises ``SettingsRefused``."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.num_tickets = 0  # a resumed session skips the look at the revocation lists
    made.set_alpn_protocols(["http/1.1"])
    try:
        made.load_cert_chain(files.certificate, files.key, password=lambda: b"")
        made.load_verify_locations(files.trust)
        if files.crl is not None:
            made.load_verify_locations(files.crl)
            made.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    except (OSError, ValueError) as error:
        raise SettingsRefused(f"tls: the files cannot be used ({type(error).__name__})") from None
    return made


class WitnessServer:
    """Listens, reads requests, hands their bodies to ``ask`` (in a thread: it waits for the disk)."""

    def __init__(self, chosen: Settings, ask: Ask) -> None:
        self._target = f"{chosen.prefix}{PATH}"
        self._context = context(chosen.tls) if chosen.tls else None
        self._where, self._limits, self._ask = (chosen.host, chosen.port), chosen.limits, ask
        self._room = asyncio.Semaphore(chosen.limits.connections)
        self._threads = ThreadPoolExecutor(_THREADS, "witness")
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket
        self._accepting: asyncio.Task[None]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError."""
        host, port = self._where
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self._socket.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="witness")

    async def close(self) -> None:
        """End every connection; what is being decided is decided and kept, though nobody hears of it."""
        self._accepting.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._socket.close()
        await asyncio.to_thread(self._threads.shutdown)

    async def _accept(self) -> None:
        while True:
            await self._room.acquire()
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._socket)
            except OSError:  # out of descriptors, or the peer is gone already
                self._room.release()
                await asyncio.sleep(_PAUSE)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            task = asyncio.create_task(self._served(connection))
            self._tasks.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()

    async def _served(self, accepted: socket.socket) -> None:
        """One connection, from its handshake to its end."""
        reader = asyncio.StreamReader(limit=HEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_seconds if self._context else None,
            )
        except (OSError, asyncio.CancelledError):  # TLS has refused it, or it was too slow
            accepted.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            while await self._answered(_Reading(reader, self._limits, self._target), writer):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            transport.abort()

    async def _answered(self, reading: _Reading, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after a request and its answer."""
        try:
            body = await reading.request()
        except BadRequest as error:
            answer, goes_on = Answer(error.status, PLAIN, f"{error}\n".encode()), False
        else:
            answer, goes_on = await self._asked(body), reading.goes_on
        async with asyncio.timeout(self._limits.request_seconds):
            writer.write(_written(answer, goes_on))
            await writer.drain()
            if not goes_on:
                writer.write_eof() if writer.can_write_eof() else writer.close()
                await reading.emptied()
        return goes_on

    async def _asked(self, body: bytes) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, body)
        except Exception:  # nothing was cosigned, and the next one may ask
            return Answer(500, PLAIN, b"something went wrong here\n")


class _Reading:
    """Reads one request. ``goes_on``: whether who asks wants to ask more over this connection."""

    def __init__(self, reader: asyncio.StreamReader, limits: Limits, target: str) -> None:
        self._reader, self._limits, self._target = reader, limits, target
        self.goes_on = True

    async def request(self) -> bytes:
        """The body of a request to the one address. Raises ``BadRequest``, and EOFError at the end."""
        async with asyncio.timeout(self._limits.idle_seconds):
            first = await self._reader.readexactly(1)
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                return await self._rest(first)
        except TimeoutError:
            raise BadRequest(408, "the request did not come in time") from None

    async def emptied(self) -> None:
        """Read what still comes, for a little: else the answer could be lost with the connection."""
        read = 0
        while read < self._limits.request_bytes and (piece := await self._reader.read(HEAD)):
            read += len(piece)

    async def _rest(self, first: bytes) -> bytes:
        try:
            head = first + await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise BadRequest(431, f"the head of a request has {HEAD} bytes at most") from None
        line, _, rest = head[:-4].partition(b"\r\n")
        length = self._looked_at(line, _fields(rest))
        return await self._reader.readexactly(length)

    def _looked_at(self, line: bytes, fields: dict[bytes, bytes]) -> int:
        """The length of the body. Raises ``BadRequest``."""
        parts = line.split(b" ")
        if len(parts) != 3 or not line.isascii():
            raise BadRequest(400, "this is no HTTP request")
        method, target, version = parts
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise BadRequest(505, "HTTP/1.1 is spoken here")
        if target != self._target.encode():
            raise BadRequest(404, "there is nothing here")
        if method != b"POST":
            raise BadRequest(405, "only POST is answered here")
        if version == b"HTTP/1.1" and b"host" not in fields:
            raise BadRequest(400, "a Host is needed")
        self.goes_on = version == b"HTTP/1.1" and fields.get(b"connection", b"").lower() != b"close"
        return self._length(fields)

    def _length(self, fields: dict[bytes, bytes]) -> int:
        if b"expect" in fields:
            raise BadRequest(417, "no expectation is met here")
        said = fields.get(b"content-length", b"")
        if b"transfer-encoding" in fields or not (said.isdigit() and len(said) < 12):
            raise BadRequest(411, "a Content-Length is needed, and no transfer coding")
        if int(said) > self._limits.request_bytes:
            raise BadRequest(413, f"a request has {self._limits.request_bytes} bytes at most")
        return int(said)


def _fields(said: bytes) -> dict[bytes, bytes]:
    """Header fields by their names in lower case. Raises ``BadRequest``, also for one that comes twice."""
    found: dict[bytes, bytes] = {}
    for line in said.split(b"\r\n") if said else ():
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line or b"\0" in line:
            raise BadRequest(400, "this is no header field")
        if name.lower() in found:
            raise BadRequest(400, "a header field comes twice")
        found[name.lower()] = value.strip()
    return found


def _written(answer: Answer, goes_on: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.content)}",
        *(["Allow: POST"] if answer.status == 405 else []),
        *([] if goes_on else ["Connection: close"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + answer.content
