"""v2 comes in over a connection: who speaks, how much of it there may be, and who takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from connector.errors import ConnectorError, FrameTooLarge, Overloaded, UntrustedPeer
from connector.hl7v2 import envelope
from connector.pipeline.batches import Batches
from connector.pipeline.entries import Trail, partner, reason, seen
from connector.pipeline.links import NOBODY, Link, Links
from connector.pipeline.ports import Clock, Ids, Judge, Peer
from connector.pipeline.quotas import Seconds, Shares
from connector.pipeline.taking import HEAD, Heard, Source, Taking
from connector.store import Direction, Store

_log: Final = structlog.get_logger(__name__)
_IN: Final = Direction.TO_FHIR


class V2Receiver:
    """Takes frames of all links. ``seconds``: a monotonic clock, for what a partner may send in a second."""

    def __init__(
        self,
        links: Links,
        store: Store,
        clock: Clock,
        ids: Ids,
        judge: Judge | None = None,
        arrived: Callable[[str, Direction], None] = lambda link, direction: None,
        heard: Heard = lambda link, code, control_id: False,
        seconds: Seconds = lambda: 0.0,
    ) -> None:
        self._links, self._store, self._clock = links, store, clock
        self._taking = Taking(store, clock, ids, judge, arrived, heard)
        self._batches = Batches(self._taking, store, clock, ids)
        self._shares = Shares(seconds)

    @property
    def accepting(self) -> bool:
        """Whether new messages are taken; once it is False they are turned away."""
        return self._taking.accepting

    @accepting.setter
    def accepting(self, accepting: bool) -> None:
        self._taking.accepting = accepting

    def bar(self, barred: Callable[[], ConnectorError | None]) -> None:
        """Take nothing as long as this says why not."""
        self._taking.barred = barred

    async def admit(self, peer: Peer) -> Callable[[], None] | None:
        """What to call when this connection is over; None: the partner has too many, close it."""
        link = self._links.of_peer(peer)
        if link is None:
            return _nothing  # its first frame says so
        share = self._shares.of(link)
        if share.enter():
            return share.leave
        count = share.refused()
        if count is not None:
            error = Overloaded("the partner has too many connections", fix="close some, or raise the limit")
            await self._turned_away("tls:peer:refused", link.name, peer, error, count)
        return None

    async def receive(self, payload: bytes, peer: Peer) -> bytes | None:
        """The payload of the answer to send; ``b""``: none is wanted; None: close the connection."""
        link = self._links.of_peer(peer)
        if link is None:
            error = UntrustedPeer("no profile names this certificate", fix="name it in [v2.from]")
            await self._turned_away("tls:peer:refused", NOBODY, peer, error)
            return None
        if len(payload) > link.frame_bytes:
            return await self.too_long(payload[:HEAD], peer, _too_large(link.frame_bytes))
        share = self._shares.of(link)
        source = Source(partner(peer), peer.fingerprint, peer.address)
        async with share.turn():
            if envelope.holds_many(payload):
                return (await self._batches.take(link, payload, source, share.pace)).answer
            await share.pace()
            return (await self._taking.take(link, payload, source)).answer

    async def fault(self, peer: Peer, error: ConnectorError) -> bytes | None:
        """Bytes outside a frame, or a frame broken off: audited, and the connection closes."""
        await self._turned_away("message:v2:refused", self._name(peer), peer, error)
        return None

    async def too_long(self, head: bytes, peer: Peer, error: ConnectorError) -> bytes | None:
        """A frame over the limit: audited, and refused by its own control id where MSH is in its head."""
        await self._turned_away("message:v2:refused", self._name(peer), peer, error)
        link = self._links.of_peer(peer)
        return None if link is None else self._taking.refusal(link, head, [error]).answer

    async def _turned_away(
        self, tag: str, name: str, peer: Peer, error: ConnectorError, count: int = 1
    ) -> None:
        more: dict[str, Any] = {"count": count} if count > 1 else {}
        actor = seen(peer) if name == NOBODY else partner(peer)
        entry = Trail(self._clock, name, _IN).refused(tag, error, actor=actor, **more)
        try:
            await self._store.refuse(name, _IN, reason(error), self._clock(), [entry])
        except ConnectorError as failure:  # nothing was taken, and nothing is said that looks as if it were
            _log.error("a refusal could not be recorded", link=name, exc=failure)

    def _name(self, peer: Peer) -> str:
        link: Link | None = self._links.of_peer(peer)
        return link.name if link else NOBODY


def _nothing() -> None:
    """An unknown peer counts for nobody."""


def _too_large(limit: int) -> FrameTooLarge:
    return FrameTooLarge(f"the frame passes the limit of {limit} bytes", fix="send less at once")
