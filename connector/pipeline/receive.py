"""v2 comes in: read MSH, check, commit once, acknowledge.

The acknowledgment is built before the commit and stored with it, so that a repeated message gets the
very same one, and it is only returned once the commit is on the disk. Whatever cannot be committed is
answered with AE and condition 207: nothing was taken, the sender still has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

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
from connector.pipeline.entries import Trail, dtm, reason, seen
from connector.pipeline.links import NOBODY, Link, Links
from connector.pipeline.ports import Clock, Ids, Judge, Peer
from connector.store import Direction, InboxKey, Received, Store

NOTHING: Final = b""  # an accept acknowledgment that the sender does not want
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
        self.accepting = True

    async def receive(self, payload: bytes, peer: Peer) -> bytes | None:
        """The payload of the answer to send; ``b""``: none is wanted; None: close the connection."""
        link = self._links.of_peer(peer)
        if link is None:
            error = UntrustedPeer("no profile names this certificate")
            return await self._turned_away(NOBODY, peer, error)
        try:
            text = charset.decode(payload, profile_charset=link.charset)
            message = Message.parse(text.text)
        except UnreadableMessage as error:
            return await self._quarantine(link, payload, peer, error)
        except UndecodableText as error:
            return await self._undecodable(link, payload, peer, error)
        answer = await self._decide(link, payload, peer, message)
        return answer and charset.encode(answer, text.charset)

    async def fault(self, peer: Peer, error: ConnectorError) -> bytes | None:
        """What was no frame, or too large a one: audited, answered with a NACK where a frame was begun."""
        link = self._links.of_peer(peer)
        name = link.name if link else NOBODY
        closed = await self._turned_away(name, peer, error)
        if link is None or not isinstance(error, FrameTooLarge):
            return closed
        return self._static(error, link)

    async def _decide(self, link: Link, payload: bytes, peer: Peer, message: Message) -> str:
        correlation = self._ids()
        try:
            if not self.accepting:
                raise ShuttingDown("the connector is stopping", fix="send it again")
            faults = await self._faults(link, message)
            if faults:
                return await self._refuse(link, peer, message, faults, correlation)
            return await self._commit(link, payload, peer, message, correlation)
        except ConnectorError as error:
            return self._answer(message, error.answer.acknowledgment, correlation, [error])

    async def _faults(self, link: Link, message: Message) -> list[MessageError]:
        faults = acceptance.faults(message, link.accepts)
        if faults or not link.strict or self._judge is None:
            return faults
        return list(await self._judge(str(message)))

    async def _commit(
        self, link: Link, payload: bytes, peer: Peer, message: Message, correlation: str
    ) -> str:
        at = self._clock()
        answer = self._answer(message, "AA", correlation)
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
        return self._answer(message, worst.answer.acknowledgment, correlation, faults)

    async def _turned_away(self, name: str, peer: Peer, error: ConnectorError) -> None:
        entry = self._trail(name).refused("message:v2:refused", error, actor=seen(peer))
        try:
            await self._store.refuse(name, _IN, reason(error), self._clock(), [entry])
        except ConnectorError:
            return  # nothing was taken, and the connection closes without an answer all the same

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
        return self._static(error, link) if link.on_unreadable == "nack" else None

    async def _undecodable(
        self, link: Link, payload: bytes, peer: Peer, error: UndecodableText
    ) -> bytes | None:
        """Its MSH is read byte by byte, so the answer echoes the sender's bytes and guesses nothing."""
        message = Message.parse(payload.decode("latin-1"))
        try:
            answer = await self._refuse(link, peer, message, [error], self._ids())
        except ConnectorError as failure:
            answer = self._answer(message, failure.answer.acknowledgment, self._ids(), [failure])
        return answer.encode("latin-1", "replace")

    def _answer(
        self, message: Message, code: str, correlation: str, errors: Sequence[ConnectorError] = ()
    ) -> str:
        """The acknowledgment, or "" where the sender's MSH-15 asks for none (v2.5.1 section 2.9.3)."""
        wanted = _wanted(code, message.msh.field(15).strip(), message.msh.field(16).strip())
        if not wanted:
            return ""
        at = dtm(self._clock())
        return ack.ack(message, wanted, control_id=correlation[:20], at=at, errors=errors)

    def _static(self, error: ConnectorError, link: Link) -> bytes:
        """A NACK to somebody whose MSH could not be read: it echoes nothing."""
        answer = error.answer
        identity = self._ids()[:20]
        lines = (
            rf"MSH|^~\&|||||{dtm(self._clock())}||ACK|{identity}|P|2.5.1",
            f"MSA|{answer.acknowledgment}|",
            f"ERR|||{answer.condition}^{reason(error)}^HL70357|E",
        )
        return "".join(f"{line}\r" for line in lines).encode("ascii")

    def _trail(self, name: str) -> Trail:
        return Trail(self._clock, name, _IN)


def _wanted(code: str, accept: str, application: str) -> str:
    """The code to answer with, by MSH-15 and MSH-16; "" where this outcome is not to be answered.

    A sender that wants no commit acknowledgment but an application acknowledgment waits for that one:
    it gets it here, since taking a message is all that this application promises.
    """
    if not accept and not application:
        return code
    commit = _COMMIT_CODES[code]
    if commit in _WANTED.get(accept or "NE", _WANTED["AL"]):
        return commit
    return code if commit in _WANTED.get(application, ()) else ""


def _key(link: Link, message: Message, payload: bytes) -> InboxKey:
    return InboxKey(
        partner=link.name,
        application=message.msh.field(3),
        facility=message.msh.field(4),
        control_id=message.control_id,
        digest=hashlib.sha256(payload).hexdigest(),
    )
