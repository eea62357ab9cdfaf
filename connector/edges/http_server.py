"""uvicorn's HTTP/1.1 behind our own acceptor, so that the application learns who the TLS peer is.

The peer stands in ``scope["state"]["peer"]`` of every request. On top of uvicorn: limits for the head of a
request, deadlines for head and body (uvicorn waits for ever for the first one), headers of security on
every answer, also where no application gave it, and failures of the application whose text never reaches a
log, since it may hold a value from a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import PurePath
from socket import socket
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from connector.edges.acceptor import Acceptor, OnAdmitted, OnRefused
from connector.edges.http_answers import SecurityHeaders
from connector.edges.http_head import HeadLimits, OnFault, Refusing, failed
from connector.edges.http_served import PeerProtocol, Rules
from connector.errors import ConnectorError

App = Callable[..., Any]

_TICK_SECONDS = 1.0


class ApplicationFailed(RuntimeError):
    """The application raised: the name of the error and the place in the code, never its text."""


class HttpServer:
    """An ASGI application on a listening socket, over mutual TLS. Made by ``serve_http``."""

    def __init__(
        self,
        app: App,
        sock: socket,
        context: ssl.SSLContext,
        *,
        on_refused: OnRefused | None = None,
        on_admitted: OnAdmitted | None = None,
        limit: int = 500,
        keep_alive: float = 30.0,
        request_timeout: float = 60.0,
        handshake_timeout: float = 5.0,
        head: HeadLimits | None = None,
        on_fault: OnFault | None = None,
    ) -> None:
        refusing = Refusing(on_fault)
        head = head or HeadLimits()
        head = replace(head, seconds=min(head.seconds, request_timeout))
        self._rules = Rules(head, request_timeout, refusing)
        self._config = uvicorn.Config(
            SecurityHeaders(_Guarded(app, self._rules.head, refusing)),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(keep_alive),
            h11_max_incomplete_event_size=self._rules.head.size,
        )
        self._config.load()
        self._state = ServerState()
        self._clock: asyncio.Task[None] | None = None
        self.acceptor = Acceptor(
            sock,
            context,
            self._protocol,
            on_refused,
            handshake_timeout=handshake_timeout,
            limit=limit,
            on_admitted=on_admitted,
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
        return PeerProtocol(self._config, self._state, over, self._rules)

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

    Options: ``on_refused(reason, address, peer)``, ``on_admitted(peer)``; ``limit``: connections;
    ``keep_alive``: seconds between two requests; ``request_timeout``: seconds for a body to arrive, and for a
    peer that does not read its answer; ``handshake_timeout``: seconds; ``head``: what the head of a request
    may take; ``on_fault(peer, error)``: told of what is refused before any application sees it.
    """
    return HttpServer(app, sock, context, **options)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Gives an application requests whose head is within the limits, and answers where it fails."""

    app: App
    head: HeadLimits
    refusing: Refusing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (fault := self.head.judge(scope)) is not None:
            return await self._refuse(fault, scope, receive, send)
        started = False

        async def sending(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            if not started:
                await self._refuse(failed(), scope, receive, send)
            raise ApplicationFailed(_place(error)) from None

    async def _refuse(self, error: ConnectorError, scope: Any, receive: Any, send: Any) -> None:
        state = {**scope.get("state", {}), "fault": error}
        await self.refusing({**scope, "state": state}, receive, send)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
