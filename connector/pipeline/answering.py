"""What a sender is told after processing: application acknowledgments as messages of their own.

A sender in enhanced mode whose MSH-16 asks for it hears of every message once more when all that was made
of it is delivered (AA), or when it became a dead letter (AE or AR, with ERR). The acknowledgment goes
through the store like every message: it survives a restart and goes out again under the same control id
until it is handed over (HL7 v2.5.1 section 2.9.3).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Final, Protocol

from connector.errors import ANSWERS, ConnectorError, UnreadableMessage
from connector.hl7v2 import ack, charset, modes
from connector.hl7v2.tree import Message
from connector.pipeline.answers import CONTROL_ID
from connector.pipeline.deliver import Told
from connector.pipeline.entries import Trail, about_whom, dtm, reason
from connector.pipeline.links import Link
from connector.pipeline.ports import Acknowledgment, Clock
from connector.pipeline.replies import USUAL, decide
from connector.store import Direction, OutboxItem, Outgoing, Owed, State, Store

BATCH: Final = 64
_BYTES: Final = "8859/1"  # reads every byte, and gives the very same back
_KINDS: Final = {kind.__name__: kind for kind in ANSWERS}


class Answering:
    """One link: makes the acknowledgments that settled messages are owed, in the place of a translation."""

    direction: Final = Direction.ANSWER

    def __init__(self, link: Link, store: Store, clock: Clock) -> None:
        self.link = link
        self._store, self._clock = store, clock
        self._trail = Trail(clock, link.name, Direction.ANSWER)
        self.ending = False  # take up nothing more

    async def step(self) -> int:
        """Answer what is settled, at most ``BATCH`` messages; how many there were."""
        owed = await self._store.owed(self.link.name, BATCH)
        for one in owed:
            if self.ending:
                break
            await self._answer(one)
            await asyncio.sleep(0)
        return len(owed)

    async def _answer(self, owed: Owed) -> None:
        error = None if owed.state is State.DELIVERED else undelivered(owed.reason)
        code = error.answer.acknowledgment if error else "AA"
        try:
            outgoing = self._outgoing(owed, code, error)
        except UnreadableMessage:  # a person has corrected it beyond recognition: nobody is answered
            outgoing = None
        why, sent = reason(error) if error else "", outgoing is not None
        what = {"code": code, "sent": sent, "cause": why, **about_whom(owed.meta)}
        entry = self._trail.did("message:v2:answered", owed.uid, **what)
        await self._store.answered(owed.id, outgoing, error is None, [entry])

    def _outgoing(self, owed: Owed, code: str, error: ConnectorError | None) -> Outgoing | None:
        """None where the sender does not want to hear of this outcome."""
        message, named = _read(owed.payload, self.link.charset)
        msh = message.msh
        if code not in modes.afterwards(self.link.answers, msh.field(15), msh.field(16)):
            return None
        identity = control_id(owed.uid)
        text = ack.ack(
            message,
            code,
            control_id=identity,
            at=dtm(self._clock()),
            errors=[error] if error else [],
            accept=self.link.asks,
        )
        connection = str(owed.meta.get("connection", ""))
        meta = {
            "correlation": owed.uid,
            "kind": f"ACK^{message.trigger_event}",
            "control_id": identity,
            "connection": connection,
        }
        return Outgoing(charset.encode(text, named), meta, (f"connection {connection}",))


class Sayer(Protocol):
    """The way to the sender: over a connection of its own making, or to a listener of its own."""

    async def say(self, payload: bytes, control_id: str, connection: str) -> Acknowledgment | None:
        """Hand an acknowledgment over. ``connection``: the peer by which the message came.

        Returns what the sender said to it, None where it was asked nothing. Raises ``DeliveryError``.
        """
        ...


class ToSender:
    """Hands application acknowledgments over."""

    def __init__(self, sayer: Sayer) -> None:
        self._sayer = sayer

    async def send(self, item: OutboxItem) -> Told:
        """Raises ``DeliveryError``."""
        meta = item.meta
        said = await self._sayer.say(item.payload, str(meta["control_id"]), str(meta.get("connection", "")))
        refused = decide(said, USUAL, again=item.unsure or item.attempts > 0) if said else None
        if refused is not None:
            raise refused
        return Told({"acknowledgment": said.code if said else "not asked for"}, {})


def control_id(uid: str) -> str:
    """MSH-10 of the application acknowledgment: the same again after a crash, and not that of the first."""
    digest = hashlib.sha256(f"{uid}/application acknowledgment".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:CONTROL_ID]


def undelivered(name: str) -> ConnectorError:
    """The error by which a message became a dead letter, as its sender is told of it."""
    kind = _KINDS.get(name, ConnectorError)
    return kind("the message was taken and could not be delivered", fix="ask the operator of the connector")


def _read(payload: bytes, profile_charset: str | None) -> tuple[Message, str]:
    """The message in its character set; byte by byte where the profile has another one by now."""
    try:
        text = charset.decode(payload, profile_charset=profile_charset)
        return Message.parse(text.text), text.charset
    except ConnectorError:
        return Message.parse(payload.decode("latin-1")), _BYTES
