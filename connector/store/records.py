"""What goes into the store and comes out of it: plain values, times as aware UTC datetimes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection


class Direction(StrEnum):
    """Which way a message travels."""

    TO_FHIR = "to_fhir"
    TO_V2 = "to_v2"


class State(StrEnum):
    """Where a row of inbox or outbox stands."""

    WAITING = "waiting"  # inbox: to be translated; outbox: to be sent
    TRANSLATED = "translated"  # inbox: at least one of its messages is not delivered yet
    INTENDED = "intended"  # outbox: was being sent, what came of it is not known
    DELIVERED = "delivered"  # inbox: all that was made of it is delivered (also if that was nothing)
    REPLACED = "replaced"  # outbox: was dead, and its message was translated again
    DEAD = "dead"  # inbox: could not be translated, or one of its messages is dead


class AuditPort(Protocol):
    """The audit log, as far as the store knows it."""

    def install(self, connection: Connection, *, new: bool) -> None:
        """Make the log's tables at opening, inside the transaction that migrates the store.

        ``new``: the database was empty. Otherwise the log must be there as it was made, or this raises.
        """
        ...

    def append(self, connection: Connection, drafts: Sequence[Any]) -> None:
        """Add entries inside the transaction that does what they record."""
        ...


@dataclass(frozen=True, slots=True)
class InboxKey:
    """What makes two incoming messages the same one (MSH-3, MSH-4, MSH-10 and the content)."""

    partner: str
    application: str
    facility: str
    control_id: str
    digest: str  # of the content: SHA-256, hexadecimal


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in."""

    link: str
    direction: Direction
    key: InboxKey
    payload: bytes
    meta: Mapping[str, Any]  # small JSON
    received_at: dt.datetime
    uid: str = ""  # the correlation id of its audit entries, unique; "": the store makes one


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message that came in."""

    id: int  # the row; of the first one, for a duplicate
    duplicate: bool
    answer: bytes  # what was answered the first time
    uid: str
    control_id_reused: bool = False  # an earlier message had the same control id and another content


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A message that waits for its translation."""

    id: int
    uid: str
    payload: bytes
    meta: dict[str, Any]
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message made by a translation."""

    payload: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """The head of a lane. ``unsure``: it was being sent before, and what came of it is not known."""

    id: int
    uid: str
    inbox_id: int
    payload: bytes
    meta: dict[str, Any]
    attempts: int
    unsure: bool


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What is known about one resource of a link after a message spoke of it.

    ``content``: the resource as FHIR JSON; None: it is no longer there. ``message``: the v2 text that said
    it, remembered by ``family`` ("ADT", "ORU"); None: the text known before stays.
    """

    link: str
    resource: str  # ``Patient/abc``
    content: bytes | None
    message: bytes | None
    family: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One message for people who watch; nothing of its content."""

    id: int
    uid: str
    link: str
    direction: Direction
    state: State
    received_at: dt.datetime
    meta: dict[str, Any]
    lost: list[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """One link and direction. Each received message is in exactly one of the four states that follow it."""

    received: int = 0  # taken and acknowledged, duplicates not among them
    waiting_translation: int = 0
    waiting_delivery: int = 0  # translated, at least one of its messages is still to be delivered
    delivered: int = 0  # all of its messages, also if it needed none
    dead: int = 0
    duplicates: int = 0
    refused: int = 0
    quarantined: int = 0
    queued: int = 0  # outgoing messages that wait
    sent: int = 0  # outgoing messages that were delivered
    parked: int = 0  # outgoing messages that are dead letters

    @property
    def reconciled(self) -> bool:
        """Whether every received message is accounted for."""
        parts = (self.waiting_translation, self.waiting_delivery, self.delivered, self.dead)
        return self.received == sum(parts) and min(parts) >= 0
