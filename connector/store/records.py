"""What goes into the store and comes out of it: plain values, times as aware UTC datetimes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection


class Direction(StrEnum):
    """Which way a message travels."""

    TO_FHIR = "to_fhir"
    TO_V2 = "to_v2"
    ANSWER = "answer"  # our application acknowledgments, to who sent v2


class State(StrEnum):
    """Where a received message stands."""

    WAITING = "waiting"  # to be translated
    TRANSLATED = "translated"  # at least one of its messages is not delivered yet
    DELIVERED = "delivered"  # all that was made of it is delivered (also if that was nothing)
    DEAD = "dead"  # could not be translated, or one of its messages is dead
    REPLACED = "replaced"  # a person put a corrected copy in its place


class Delivery(StrEnum):
    """Where a message that is to be delivered stands."""

    QUEUED = "queued"
    SENDING = "sending"  # what came of the last attempt is not known
    DELIVERED = "delivered"
    REFUSED = "refused"  # the partner does not take it, and its lanes stop until a person decides
    DEAD = "dead"  # the partner does not take it, and its lanes went on
    REPLACED = "replaced"  # was dead: translated again, or a corrected copy stands in its place


class Acknowledgment(StrEnum):
    """What was said of a message: by the partner of what we send, by us of what we took."""

    PENDING = "pending"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    NOT_OWED = "not owed"


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


class Kind(StrEnum):
    """What people look for messages by."""

    MRN = "mrn"  # medical record number
    ACCOUNT = "account"
    ACCESSION = "accession"
    CONTROL_ID = "control id"


class About(NamedTuple):
    """Whom or what a message is about. ``authority``: a URI; "": none is named."""

    kind: Kind
    value: str
    authority: str = ""


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
    owed: bool = False  # an application acknowledgment is owed once it is settled
    about: frozenset[About] = frozenset()  # by what it is found


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message that came in."""

    id: int  # the row; of the first one, for a duplicate
    duplicate: bool
    answer: bytes  # what was answered the first time
    uid: str
    content: str = ""  # the commitment to the payload, for the audit log; "" for a duplicate
    control_id_reused: bool = False  # an earlier message had the same control id and another content


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A message that waits for its translation."""

    id: int
    uid: str
    payload: bytes
    meta: dict[str, Any]
    received_at: dt.datetime
    revised: bool = False  # a corrected copy


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message made by a translation.

    ``lanes``: the names of the lanes it stands in, such as ``Patient/abc``; (): the one of its link and
    direction. It goes out when it is the first in all of them.
    """

    payload: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)
    lanes: tuple[str, ...] = ()
    about: frozenset[About] = frozenset()  # by what its received message is found as well


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


class Origin(NamedTuple):
    """Of what journal entries are learned. ``row``: the received message, where it is known."""

    at: int  # when that came, in microseconds since 1970
    row: int | None


Saw = dict[bytes, bytes]
"""Which contents of the journal a piece of work has read, so that it writes over no others: by blind index,
what each was wrapped with, b"" for none."""
NOTHING: Final[Mapping[bytes, bytes]] = MappingProxyType({})


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
    told_at: dt.datetime | None = None  # when the message says that it happened


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
class Owed:
    """A message that is settled, and whose sender still waits for the application acknowledgment.

    ``state``: ``DELIVERED`` or ``DEAD``; ``reason``: the error of a dead one.
    """

    id: int
    uid: str
    direction: Direction
    payload: bytes
    meta: dict[str, Any]
    received_at: dt.datetime
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Made:
    """One message of the outbox for people who watch; nothing of its content."""

    id: int
    uid: str
    inbox_id: int
    link: str
    direction: Direction
    delivery: Delivery
    acknowledgment: Acknowledgment
    reason: str
    attempts: int
    next_attempt_at: dt.datetime | None  # None: at once
    received_at: dt.datetime  # of the message it was made of
    delivered_at: dt.datetime | None
    version_of: int | None
    lanes: tuple[str, ...]  # as in ``LaneState``
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LaneState:
    """One lane in which something stands.

    ``lane``: twelve hexadecimal digits that stand for its name, which the store does not know; "link" for
    the one of the link and direction. ``blocked``: "stopped" (its head was refused), "behind" (its head waits
    in another lane), or "". ``reason``: the last error of its head.
    """

    link: str
    direction: Direction
    lane: str
    head: int  # the row of the outbox
    depth: int
    oldest: dt.datetime  # when what the head was made of was received
    delivery: Delivery  # of the head
    due_at: dt.datetime | None  # None: at once
    blocked: str
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages: ``state`` of received ones, or ``delivery`` of made ones, and what else is named.

    ``since`` and ``until`` are about when it was received, ``until`` not included; ``kind``: ``ADT^A01``;
    ``after``: the row behind which to go on.
    """

    link: str
    direction: Direction
    state: State | None = None
    delivery: Delivery | None = None
    reason: str = ""
    kind: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """A person broke the glass. ``realm``: whose name it is, ``machine`` or ``login``."""

    realm: str
    name: str
    reason: str
    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Paused:
    """A person lets nothing go out, or, with ``intake``, nothing come in.

    ``direction``: None for all of the link.
    """

    link: str
    direction: Direction | None
    by: str
    reason: str
    at: dt.datetime
    intake: bool = False


@dataclass(frozen=True, slots=True)
class Clash:
    """What lost where both sides changed the same element of a resource."""

    link: str
    resource: str  # ``Patient/abc``
    path: str  # of the element; never a value
    value: bytes  # what each side says, as JSON
    winner: str
    state: str  # "lost", or "held" for a person
    at: dt.datetime
    id: int = 0
    uid: str = ""  # kept once under it; "": the store makes one
    source: str = ""  # the uid of the message, received or made, that was being worked on


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
    stopped: int = 0  # outgoing messages that were refused and stop their lanes

    @property
    def waiting(self) -> int:
        """Received messages that are still to be translated or delivered."""
        return self.waiting_translation + self.waiting_delivery

    @property
    def reconciled(self) -> bool:
        """Whether every received message is accounted for."""
        parts = (self.waiting_translation, self.waiting_delivery, self.delivered, self.dead)
        return self.received == sum(parts) and min(parts) >= 0
