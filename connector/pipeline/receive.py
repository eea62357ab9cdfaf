"""v2 comes in: read MSH, check, commit once, acknowledge.

The acknowledgment is built before the commit and stored with it, so that a repeated message gets the
very same one, and it is only returned once the commit is on the disk. Whatever cannot be committed is
answered with AE and condition 207: nothing was taken, the sender still has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from connector.errors import (
    ConnectorError,
    FrameTooLarge,
    MessageError,
    ShuttingDown,
    UndecodableText,
    UnreadableMessage,
    UntrustedPeer,
)
from connector.hl7v2 import ack, charset
from connector.hl7v2.tree import Message
from connector.pipeline import acceptance
from connector.pipeline.backlog import Backlog
from connector.pipeline.entries import Trail, dtm, reason, seen
from connector.pipeline.links import NOBODY, Link, Links
from connector.pipeline.ports import Clock, Ids, Judge, Peer
from connector.store import Direction, InboxKey, Received, Store

HEAD: Final = 4096  # bytes in which the MSH of a frame that is too large is looked for
_log: Final = structlog.get_logger(__name__)
_IN: Final = Direction.TO_FHIR
_COMMIT_CODES: Final = {"AA": "CA", "AE": "CE", "AR": "CR"}
_WANTED: Final = {"AL": ("CA", "CE", "CR"), "ER": ("CE", "CR"), "SU": ("CA",), "NE": ()}


class V2Receiver:
    """Takes frames of all links. ``arrived`` is called after each commit, with link and direction."""

    def __init__(
        self,
        links: Links,
        store: Store,
        clock: Clock,
        ids: Ids,
        judge: Judge | None = None,
        arrived: Callable[[str, Direction], None] = lambda link, direction: None,
    ) -> None:
        self._links, self._store, self._clock, self._ids = links, store, clock, ids
        self._judge, self._arrived = judge, arrived
        self._backlog = Backlog(store, clock)
        self.accepting = True

    async def receive(self, payload: bytes, peer: Peer) -> bytes | None:
        """The payload of the answer to send; ``b""``: none is wanted; None: close the connection."""
        link = self._links.of_peer(peer)
        if link is None:
            error = UntrustedPeer("no profile names this certificate", fix="name it in [v2.from]")
            await self._turned_away("tls:peer:refused", NOBODY, peer, error)
            return None
        if len(payload) > link.frame_bytes:
            return await self.too_long(payload[:HEAD], peer, _too_large(link.frame_bytes))
        try:
            text = charset.decode(payload, profile_charset=link.charset)
            message = Message.parse(text.text)
        except UnreadableMessage as error:
            return await self._quarantine(link, payload, peer, error)
        except UndecodableText as error:
            return await self._undecodable(link, payload, peer, error)
        return charset.encode(await self._decide(link, payload, peer, message), text.charset)

    async def fault(self, peer: Peer, error: ConnectorError) -> bytes | None:
        """Bytes outside a frame, or a frame broken off: audited, and the connection closes."""
        await self._turned_away("message:v2:refused", self._name(peer), peer, error)
        return None

    async def too_long(self, head: bytes, peer: Peer, error: ConnectorError) -> bytes | None:
        """A frame over the limit: audited, and refused by its own control id where MSH is in its head."""
        await self._turned_away("message:v2:refused", self._name(peer), peer, error)
        link = self._links.of_peer(peer)
        if link is None:
            return None
        try:
            message = Message.parse(head.decode("latin-1"))
        except UnreadableMessage:
            return self._static(error)
        answer = self._answer(link, message, error.answer.acknowledgment, self._ids(), [error])
        return answer.encode("latin-1", "replace")

    async def _decide(self, link: Link, payload: bytes, peer: Peer, message: Message) -> str:
        correlation = self._ids()
        try:
            if not self.accepting:
                raise ShuttingDown("the connector is stopping", fix="send it again")
            faults = await self._faults(link, message)
            if faults:
                return await self._refuse(link, peer, message, faults, correlation)
            await self._backlog.check(link, _IN)
            return await self._commit(link, payload, peer, message, correlation)
        except ConnectorError as error:
            return self._answer(link, message, error.answer.acknowledgment, correlation, [error])

    async def _faults(self, link: Link, message: Message) -> list[MessageError]:
        if len(message.segments) > link.segments:
            fix = f"send at most {link.segments} in one message"
            return [MessageError("the message has too many segments", fix=fix)]
        faults = acceptance.faults(message, link.accepts)
        if faults or not link.strict or self._judge is None:
            return faults
        return list(await self._judge(str(message)))

    async def _commit(
        self, link: Link, payload: bytes, peer: Peer, message: Message, correlation: str
    ) -> str:
        at = self._clock()
        answer = self._answer(link, message, "AA", correlation)
        kind = f"{message.message_code}^{message.trigger_event}"
        received = Received(
            link=link.name,
            direction=_IN,
            key=_key(link, message, payload),
            payload=payload,
            meta={"correlation": correlation, "kind": kind},
            received_at=at,
            uid=correlation,
        )
        trail, actor = self._trail(link.name), seen(peer)
        entry, again = (
            trail.did(f"message:v2:{verb}", correlation, actor=actor, message=kind, size=len(payload))
            for verb in ("received", "duplicate")
        )
        accepted = await self._store.accept(received, answer.encode("utf-8"), [entry], if_duplicate=[again])
        self._arrived(link.name, _IN)
        return accepted.answer.decode("utf-8")

    async def _refuse(
        self, link: Link, peer: Peer, message: Message, faults: Sequence[MessageError], correlation: str
    ) -> str:
        worst = faults[0]
        entry = self._trail(link.name).refused(
            "message:v2:refused", worst, correlation, actor=seen(peer), faults=len(faults)
        )
        await self._store.refuse(link.name, _IN, reason(worst), self._clock(), [entry])
        return self._answer(link, message, worst.answer.acknowledgment, correlation, faults)

    async def _turned_away(self, tag: str, name: str, peer: Peer, error: ConnectorError) -> None:
        entry = self._trail(name).refused(tag, error, actor=seen(peer))
        try:
            await self._store.refuse(name, _IN, reason(error), self._clock(), [entry])
        except ConnectorError as failure:  # nothing was taken, and nothing is said that looks as if it were
            _log.error("a refusal could not be recorded", link=name, exc=failure)

    async def _quarantine(
        self, link: Link, payload: bytes, peer: Peer, error: UnreadableMessage
    ) -> bytes | None:
        entry = self._trail(link.name).refused(
            "message:v2:quarantined", error, actor=seen(peer), size=len(payload)
        )
        try:
            await self._store.quarantine(
                link.name, payload, reason(error), peer.fingerprint, self._clock(), [entry]
            )
        except ConnectorError:
            return None  # not kept, so nothing may be said that looks as if it were
        return self._static(error) if link.on_unreadable == "nack" else None

    async def _undecodable(
        self, link: Link, payload: bytes, peer: Peer, error: UndecodableText
    ) -> bytes | None:
        """Its MSH is read byte by byte, so the answer echoes the sender's bytes and guesses nothing."""
        message = Message.parse(payload.decode("latin-1"))
        try:
            answer = await self._refuse(link, peer, message, [error], self._ids())
        except ConnectorError as failure:
            answer = self._answer(link, message, failure.answer.acknowledgment, self._ids(), [failure])
        return answer.encode("latin-1", "replace")

    def _answer(
        self,
        link: Link,
        message: Message,
        code: str,
        correlation: str,
        errors: Sequence[ConnectorError] = (),
    ) -> str:
        """The acknowledgment, or "" where the sender's MSH-15 asks for none (v2.5.1 section 2.9.3)."""
        wanted = wanted_code(link.answers, code, message.msh.field(15).strip(), message.msh.field(16).strip())
        if not wanted:
            return ""
        at = dtm(self._clock())
        return ack.ack(message, wanted, control_id=correlation[:20], at=at, errors=errors)

    def _static(self, error: ConnectorError) -> bytes:
        """A NACK to somebody whose MSH could not be read: it echoes nothing."""
        answer = error.answer
        identity = self._ids()[:20]
        lines = (
            rf"MSH|^~\&|||||{dtm(self._clock())}||ACK|{identity}|P|2.5.1",
            f"MSA|{answer.acknowledgment}|",
            f"ERR|||{answer.condition}^{reason(error)}^HL70357|E",
        )
        return "".join(f"{line}\r" for line in lines).encode("ascii")

    def _name(self, peer: Peer) -> str:
        link = self._links.of_peer(peer)
        return link.name if link else NOBODY

    def _trail(self, name: str) -> Trail:
        return Trail(self._clock, name, _IN)


def wanted_code(answers: str, code: str, accept: str, application: str) -> str:
    """The code to answer with, by MSH-15 and MSH-16; "" where this outcome is not to be answered.

    ``answers``: the profile's word, ``original`` or ``enhanced``, or ``by-message``. ``code``: AA, AE, AR.

    A sender that wants no commit acknowledgment but an application acknowledgment waits for that one:
    it gets it here, since taking a message is all that this application promises.
    """
    if answers == "original" or (answers == "by-message" and not accept and not application):
        return code
    if answers == "enhanced" and not accept:
        return _COMMIT_CODES[code]
    commit = _COMMIT_CODES[code]
    if commit in _WANTED.get(accept or "NE", _WANTED["AL"]):
        return commit
    return code if commit in _WANTED.get(application, ()) else ""


def _too_large(limit: int) -> FrameTooLarge:
    return FrameTooLarge(f"the frame passes the limit of {limit} bytes", fix="send less at once")


def _key(link: Link, message: Message, payload: bytes) -> InboxKey:
    return InboxKey(
        partner=link.name,
        application=message.msh.field(3),
        facility=message.msh.field(4),
        control_id=message.control_id,
        digest=hashlib.sha256(payload).hexdigest(),
    )
