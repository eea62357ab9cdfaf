"""One HTTP connection: uvicorn's protocol with the peer, limits for the head, and deadlines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from connector.edges.acceptor import peer_of
from connector.edges.http_answers import SecurityHeaders
from connector.edges.http_head import HeadLimits, Refusing, not_http, scope_of
from connector.errors import ConnectorError


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every connection; ``request_timeout``: seconds for a body, and for reading an answer."""

    head: HeadLimits = field(default_factory=HeadLimits)
    request_timeout: float = 60.0
    refusing: Refusing = field(default_factory=Refusing)


class PeerProtocol(H11Protocol):
    """One HTTP connection: peer in ``state``, deadlines for requests, end told to the acceptor."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, over: Callable[[], None], rules: Rules
    ) -> None:
        super().__init__(config, state, {})
        self._over = over
        self._rules = rules
        self._refused = False
        self._awaited: object = None  # the state of h11 whose end the deadline is for
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "peer": peer_of(transport)}
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """What came cannot be read: our answer in the place of uvicorn's, which says why in its own way."""
        hint = getattr(sys.exc_info()[1], "error_status_hint", 400)
        self._refuse(self._rules.head.too_large() if hint == 431 else not_http())

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
            self._stalled = self.loop.call_later(self._rules.request_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _watch(self) -> None:
        awaits = self._awaits()
        if awaits is self._awaited:
            return
        self._unwatch()
        self._awaited = awaits
        if awaits is not None:
            rules = self._rules
            seconds = rules.head.seconds if awaits is h11.IDLE else rules.request_timeout
            self._deadline = self.loop.call_later(seconds, self._late)

    def _awaits(self) -> object:
        """The state of h11 that is to end: in it the peer owes us something."""
        if self._refused or self.timeout_keep_alive_task is not None:
            return None  # between two requests uvicorn's own timer runs
        state = self.conn.their_state
        return state if state in (h11.IDLE, h11.SEND_BODY) else None

    def _unwatch(self) -> None:
        self._awaited = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if self._awaited is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(self._rules.head.too_slow())
        else:
            self.transport.abort()  # nothing was asked, or who asks for it reads the body no more

    def _refuse(self, error: ConnectorError) -> None:
        """Answer what is no request, unless one is in hand: then that one hears that its peer is gone."""
        self._refused = True
        self._unwatch()
        in_hand = self.cycle is not None and not self.cycle.response_complete
        if in_hand or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            if in_hand:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.close()
            return
        self.cycle = self._cycle(scope_of(self.app_state["peer"], error))
        refusing: Any = SecurityHeaders(self._rules.refusing)
        task = self.loop.create_task(self.cycle.run_asgi(refusing))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _cycle(self, scope: Any) -> RequestResponseCycle:
        cycle = RequestResponseCycle(
            scope=scope,
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=lambda: None,
        )
        cycle.keep_alive = False
        return cycle
