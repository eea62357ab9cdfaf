"""uvicorn's HTTP/1.1 behind our own acceptor, so that the application learns who the TLS peer is.

The peer stands in ``scope["state"]["peer"]`` of every request. On top of uvicorn: a deadline for whole
requests (uvicorn waits for ever for the first one), and failures of the application whose text never
reaches a log, since it may hold a value from a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from email.utils import formatdate
from pathlib import PurePath
from socket import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from connector.edges.acceptor import Acceptor, OnRefused, peer_of

App = Callable[..., Any]

_TICK_SECONDS = 1.0


class ApplicationFailed(RuntimeError):
    """The application raised: the name of the error and the place in the code, never its text."""


class _PeerProtocol(H11Protocol):
    """One HTTP connection: peer in ``state``, deadline for requests, end told to the acceptor."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, over: Callable[[], None], request_timeout: float
    ) -> None:
        super().__init__(config, state, {})
        self._over = over
        self._request_timeout = request_timeout
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "peer": peer_of(transport)}
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()
        self.resume_writing()
        self._over()

    def pause_writing(self) -> None:
        """The peer does not read its answer: give it as long as a request may take."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._request_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _watch(self) -> None:
        if not self._awaits_request():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._request_timeout, self.transport.abort)

    def _awaits_request(self) -> bool:
        if self.timeout_keep_alive_task is not None:
            return False  # between two requests: uvicorn's own timer runs
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer:
    """An ASGI application on a listening socket, over mutual TLS. Made by ``serve_http``."""

    def __init__(
        self,
        app: App,
        sock: socket,
        context: ssl.SSLContext,
        *,
        on_refused: OnRefused | None = None,
        limit: int = 500,
        keep_alive: float = 30.0,
        request_timeout: float = 60.0,
        handshake_timeout: float = 5.0,
    ) -> None:
        self._config = uvicorn.Config(
            _guarded(app),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(keep_alive),
        )
        self._config.load()
        self._state = ServerState()
        self._request_timeout = request_timeout
        self._clock: asyncio.Task[None] | None = None
        self.acceptor = Acceptor(
            sock, context, self._protocol, on_refused, handshake_timeout=handshake_timeout, limit=limit
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: (ip, port)."""
        return self.acceptor.address

    @property
    def connections(self) -> int:
        """Connections being served."""
        return len(self._state.connections)

    async def start(self) -> None:
        """Begin to listen."""
        self._clock = asyncio.create_task(self._date(), name="http date")
        await self.acceptor.start()

    async def close(self, grace: float = 10.0) -> None:
        """Stop listening, finish the requests in hand, close; after ``grace`` seconds cut what is left."""
        await self.acceptor.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._empty(grace)
        self._cut()
        await self._empty(1.0)
        if self._clock is not None:
            self._clock.cancel()

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context for every handshake from now on."""
        self.acceptor.reload(context)

    def _protocol(self, over: Callable[[], None]) -> asyncio.BaseProtocol:
        return _PeerProtocol(self._config, self._state, over, self._request_timeout)

    async def _empty(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while self._state.connections or self._state.tasks:
            if asyncio.get_running_loop().time() >= end:
                return
            await asyncio.sleep(0.01)

    def _cut(self) -> None:
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _date(self) -> None:
        while True:
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(_TICK_SECONDS)


def serve_http(app: App, sock: socket, context: ssl.SSLContext, **options: Any) -> HttpServer:
    """Serve an ASGI application on a listening socket; ``start()`` and ``close()`` it.

    Options: ``on_refused(reason, address)``; ``limit``: connections; ``keep_alive``: seconds between two
    requests; ``request_timeout``: seconds for a whole request to arrive, and for a peer that
    does not read its answer; ``handshake_timeout``: seconds.
    """
    return HttpServer(app, sock, context, **options)


def _guarded(app: App) -> App:
    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            raise ApplicationFailed(_place(error)) from None

    return guarded


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
