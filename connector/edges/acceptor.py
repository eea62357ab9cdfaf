"""An accept loop of our own, for MLLP and HTTP alike.

``asyncio.start_server`` swallows a failed handshake, and uvicorn hides the peer's certificate. Here each
accepted socket gets a task that does the handshake under a deadline, so that a silent peer delays nobody
and a refused one is reported with reason and address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connector.edges.tls import Peer
from connector.edges.trust import PeerRefused
from connector.errors import UntrustedPeer

ProtocolFactory = Callable[[Callable[[], None]], asyncio.BaseProtocol]
OnRefused = Callable[[str, str, Peer | None], Awaitable[None] | None]
OnAdmitted = Callable[[Peer], Awaitable[None]]

_SHUTDOWN_SECONDS = 2.0
_PAUSE_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class _Slot:
    """One accepted connection: its handshake until that is done, then its transport."""

    address: str
    handshake: asyncio.Task[None] | None = None
    transport: asyncio.Transport | None = None
    reason: str = ""
    over: bool = False
    suspect: Callable[[Peer], bool] | None = None


def listen(host: str, port: int, *, backlog: int = 512) -> socket.socket:
    """A listening TCP socket (port 0: any free one). Raises OSError where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


def address_of(name: object) -> str:
    """``ip:port`` of a socket name (``[ip]:port`` for IPv6); "" where there is none."""
    if not isinstance(name, tuple) or len(name) < 2:
        return ""
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{host}:{name[1]}"


class Acceptor:
    """Accepts TLS connections on a listening socket and hands them to protocols.

    ``protocol_factory``: called once a connection with a function that the protocol must call from its
    ``connection_lost``. ``on_refused``: told (reason, ``ip:port``, peer) of everybody who was not let in; the
    reason is OpenSSL's or ours and never a value from the wire; the peer is known only where its chain is
    sound and who it is was the reason. ``handshake_timeout``: seconds.
    ``on_admitted``: told of everybody who was; who it raises for is cut off.
    ``limit``: open connections, looked at before a handshake begins; ``handshake_limit``: handshakes under
    way, over which the oldest gives way.
    The socket belongs to the acceptor from here on.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        protocol_factory: ProtocolFactory,
        on_refused: OnRefused | None = None,
        *,
        handshake_timeout: float = 5.0,
        limit: int = 1000,
        handshake_limit: int = 500,
        on_admitted: OnAdmitted | None = None,
    ) -> None:
        self._sock = sock
        self._context = context
        self._factory = protocol_factory
        self._on_refused, self._on_admitted = on_refused, on_admitted
        self._handshake_timeout = handshake_timeout
        self._limit = limit
        self._handshake_limit = handshake_limit
        self._handshakes: dict[_Slot, None] = {}
        self._open: set[_Slot] = set()
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: (ip, port)."""
        name = self._sock.getsockname()
        return name[0], name[1]

    @property
    def open(self) -> int:
        """Connections whose handshake is done and that are not over."""
        return len(self._open)

    async def start(self) -> None:
        """Begin to accept."""
        self._sock.setblocking(False)
        self._loop_task = asyncio.create_task(self._accept(), name="accept")

    async def close(self) -> None:
        """Stop accepting and end the handshakes under way; open connections stay with their protocols."""
        tasks = [slot.handshake for slot in self._handshakes if slot.handshake]
        if self._loop_task is not None:
            tasks.append(self._loop_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sock.close()

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every handshake from now on; open connections stay (see ``drop``)."""
        self._context = context

    def drop(self, unwanted: Callable[[Peer], bool]) -> int:
        """Cut open connections whose peer is unwanted, such as one revoked since; returns how many.

        A peer whose handshake is under way is asked about at its end, and not counted.
        """
        dropped = 0
        for slot in self._handshakes:
            slot.suspect = unwanted
        for slot in list(self._open):
            transport = slot.transport
            if transport is not None and unwanted(peer_of(transport)):
                transport.abort()
                dropped += 1
        return dropped

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, name = await loop.sock_accept(self._sock)
            except OSError as error:  # out of descriptors, or the peer is gone already
                await self._refuse(f"accept: {type(error).__name__}", "")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._begin(connection, address_of(name))

    def _begin(self, connection: socket.socket, address: str) -> None:
        if len(self._handshakes) >= self._handshake_limit:
            self._push_out(next(iter(self._handshakes)))
        slot = _Slot(address)
        slot.handshake = asyncio.create_task(self._admit(slot, connection), name="handshake")
        slot.handshake.add_done_callback(lambda _: self._shaken(slot, connection))
        self._handshakes[slot] = None

    def _push_out(self, slot: _Slot) -> None:
        self._handshakes.pop(slot)
        slot.reason = "pushed out: too many handshakes"
        if slot.handshake is not None:
            slot.handshake.cancel()

    def _shaken(self, slot: _Slot, connection: socket.socket) -> None:
        self._handshakes.pop(slot, None)
        if slot.transport is None:
            connection.close()

    async def _admit(self, slot: _Slot, connection: socket.socket) -> None:
        try:
            await self._shake(slot, connection)
        except Exception as error:  # whatever it is, this peer stays out and somebody hears of it
            await self._refuse(_reason(error), slot.address, _refused_peer(error, slot.address))
        except asyncio.CancelledError:
            if not slot.reason:
                raise
            await self._refuse(slot.reason, slot.address)

    async def _shake(self, slot: _Slot, connection: socket.socket) -> None:
        if len(self._open) >= self._limit:
            raise ConnectionRefusedError
        with contextlib.suppress(OSError):  # only hints: answer at once, notice a peer that lost its power
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._factory(lambda: self._over(slot)),
            connection,
            ssl=self._context,
            ssl_handshake_timeout=self._handshake_timeout,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        slot.transport = transport
        if not slot.over:
            self._open.add(slot)
        if slot.suspect is not None and slot.suspect(peer_of(transport)):
            transport.abort()
        elif self._on_admitted is not None:
            try:
                await self._on_admitted(peer_of(transport))
            except BaseException:
                transport.abort()
                raise

    def _over(self, slot: _Slot) -> None:
        slot.over = True
        self._open.discard(slot)

    async def _refuse(self, reason: str, address: str, peer: Peer | None = None) -> None:
        if self._on_refused is None:
            return
        try:
            answer = self._on_refused(reason, address, peer)
            if answer is not None:
                await answer
        except Exception as error:  # the peer stays out and the loop goes on; the text may not be logged
            message = f"a refused peer could not be reported: {type(error).__name__}"
            asyncio.get_running_loop().call_exception_handler({"message": message})


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Who is at the other end of a TLS transport. Raises UntrustedPeer without a certificate."""
    connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
    return Peer.of(connection, address_of(transport.get_extra_info("peername")))


def _refused_peer(error: Exception, address: str) -> Peer | None:
    if not isinstance(error, PeerRefused) or error.leaf is None:
        return None
    try:
        return Peer.shown(error.leaf, address)
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        # raised by Python code, as for a resumed session, an SSLError has no reason of OpenSSL's
        return f"tls: {getattr(error, 'reason', None) or error.strerror or 'protocol error'}"
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return "handshake timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connection limit"
    if isinstance(error, UntrustedPeer):
        return error.what
    if isinstance(error, OSError):
        return "closed during the handshake"
    return f"failed: {type(error).__name__}"
