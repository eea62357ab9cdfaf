"""The tables. Times are whole microseconds since 1970 in UTC; ids grow in the order of commit.

``sealed`` columns hold ciphertexts of ``cipher``; ``data_key`` is the row's data key, wrapped by a day key;
blind indexes are 32 bytes. Partial indexes keep the lanes as fast as what waits in them, whatever lies
behind.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlmodel import Field, SQLModel

METADATA: Final = MetaData()

# as they stand in the partial indexes: SQLite uses one only for the very same words
WAITING: Final = "state = 'waiting'"
DEAD: Final = "state = 'dead'"
OWED: Final = "acknowledgment = 'pending' AND state IN ('delivered', 'dead')"
DONE: Final = "state IN ('delivered', 'replaced')"
OPEN: Final = "delivery IN ('queued', 'sending', 'refused')"
PARKED: Final = "delivery = 'dead'"
DESTROYED: Final = "destroyed_at IS NOT NULL"


class Row(SQLModel):
    """What all tables have in common: their metadata, apart from that of any other SQLModel user."""

    metadata = METADATA


def _id() -> Any:
    return Field(default=None, sa_column=Column("id", Integer, primary_key=True, autoincrement=True))


def _text(name: str, *, unique: bool = False) -> Any:
    return Field(sa_column=Column(name, Text, nullable=False, unique=unique or None))


def _sealed(name: str, *, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(name, LargeBinary, nullable=nullable))


def _number(name: str, *, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(name, Integer, nullable=nullable))


class Inbox(Row, table=True):
    """Every message that was taken, once."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_once", "control", "content", unique=True),
        Index("inbox_waiting", "link", "direction", "id", sqlite_where=text(WAITING)),
        Index("inbox_dead", "link", "direction", "id", sqlite_where=text(DEAD)),
        Index("inbox_owed", "link", "direction", "id", sqlite_where=text(OWED)),
        Index("inbox_done", "link", "direction", "done_at", sqlite_where=text(DONE)),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _id()
    uid: str = _text("uid", unique=True)
    link: str = _text("link")
    direction: str = _text("direction")
    control: bytes = _sealed("control")  # blind index: partner, sender, control id
    content: bytes = _sealed("content")  # blind index: the same and the content's digest
    state: str = _text("state")
    acknowledgment: str = _text("acknowledgment")  # the application acknowledgment that the sender is owed
    reason: str = _text("reason")
    received_at: int = _number("received_at")
    done_at: int | None = _number("done_at", nullable=True)  # when all of it was delivered
    version_of: int | None = _number("version_of", nullable=True)  # the row that a person corrected
    data_key: bytes = _sealed("data_key")
    meta: bytes = _sealed("meta")
    answer: bytes = _sealed("answer")
    lost: bytes | None = _sealed("lost", nullable=True)
    payload: bytes = _sealed("payload")


class Outbox(Row, table=True):
    """Every message that is to be delivered, in the order of ``id`` in each of its lanes."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_open", "link", "direction", "id", sqlite_where=text(OPEN)),
        Index("outbox_dead", "link", "direction", "id", sqlite_where=text(PARKED)),
        Index("outbox_of_inbox", "inbox_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _id()
    uid: str = _text("uid", unique=True)
    inbox_id: int = Field(sa_column=Column("inbox_id", Integer, ForeignKey("inbox.id"), nullable=False))
    link: str = _text("link")
    direction: str = _text("direction")
    delivery: str = _text("delivery")
    acknowledgment: str = _text("acknowledgment")  # what the partner said of it
    reason: str = _text("reason")
    attempts: int = _number("attempts")
    next_attempt_at: int = _number("next_attempt_at")
    intended_at: int | None = _number("intended_at", nullable=True)
    delivered_at: int | None = _number("delivered_at", nullable=True)
    version_of: int | None = _number("version_of", nullable=True)  # what a person put in its place
    lanes: bytes = _sealed("lanes")  # the blind indexes of its lanes, one behind the other
    data_key: bytes = _sealed("data_key")
    meta: bytes = _sealed("meta")
    payload: bytes = _sealed("payload")


class OutboxLane(Row, table=True):
    """Who stands in a lane: open rows of the outbox only. The smallest ``outbox_id`` is its head."""

    __tablename__ = "outbox_lane"
    __table_args__ = ({"sqlite_with_rowid": False},)
    lane: bytes = Field(sa_column=Column("lane", LargeBinary, primary_key=True))
    outbox_id: int = Field(sa_column=Column("outbox_id", Integer, primary_key=True))


class Lane(Row, table=True):
    """Each lane in which something stands, as its head makes it: when it is due, and what blocks it."""

    __tablename__ = "lane"
    __table_args__ = (
        Index("lane_due", "link", "direction", "blocked", "due_at", "head"),
        {"sqlite_with_rowid": False},
    )
    lane: bytes = Field(sa_column=Column("lane", LargeBinary, primary_key=True))  # blind index
    link: str = _text("link")
    direction: str = _text("direction")
    head: int = _number("head")
    depth: int = _number("depth")
    due_at: int = _number("due_at")  # 0: at once
    blocked: str = _text("blocked")  # "", "stopped", or "behind" something in another lane of its head
    reason: str = _text("reason")
    attempts: int = _number("attempts")


class Pause(Row, table=True):
    """A person lets nothing more go out. ``direction``: "" for every one of the link."""

    __tablename__ = "pause"
    __table_args__ = ({"sqlite_with_rowid": False},)
    link: str = Field(sa_column=Column("link", Text, primary_key=True))
    direction: str = Field(sa_column=Column("direction", Text, primary_key=True))
    by: str = _text("by")
    reason: str = _text("reason")
    at: int = _number("at")


class Sequence(Row, table=True):
    """The sequence number (MSH-13) that comes next. ``sender``: a blind index."""

    __tablename__ = "sequence"
    __table_args__ = ({"sqlite_with_rowid": False},)
    link: str = Field(sa_column=Column("link", Text, primary_key=True))
    sender: bytes = Field(sa_column=Column("sender", LargeBinary, primary_key=True))
    expected: int = _number("expected")


class Conflict(Row, table=True):
    """What lost where both sides changed the same thing. ``resource``: a blind index."""

    __tablename__ = "conflict"
    __table_args__ = (
        Index("conflict_by_state", "link", "state", "id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _id()
    uid: str = _text("uid", unique=True)
    link: str = _text("link")
    resource: bytes = _sealed("resource")
    path: str = _text("path")
    winner: str = _text("winner")
    state: str = _text("state")
    at: int = _number("at")
    data_key: bytes = _sealed("data_key")
    value: bytes = _sealed("value")
    source: str = Field(
        default="", sa_column=Column("source", Text, nullable=False, server_default="")
    )  # the uid of the message that was being worked on


class Quarantine(Row, table=True):
    """Bytes that nobody could read."""

    __tablename__ = "quarantine"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = _id()
    uid: str = _text("uid", unique=True)
    link: str = _text("link")
    reason: str = _text("reason")
    fingerprint: str = _text("fingerprint")
    received_at: int = _number("received_at")
    data_key: bytes = _sealed("data_key")
    payload: bytes = _sealed("payload")


class JournalResource(Row, table=True):
    """The latest content of each resource. ``resource`` is a blind index."""

    __tablename__ = "journal_resource"
    __table_args__ = (Index("journal_resource_of", "inbox_id"),)
    resource: bytes = Field(sa_column=Column("resource", LargeBinary, primary_key=True))
    link: str = _text("link")
    data_key: bytes = _sealed("data_key")
    content: bytes = _sealed("content")
    inbox_id: int | None = _number("inbox_id", nullable=True)  # of the message that it is learned from


class JournalText(Row, table=True):
    """A v2 message that spoke last of at least one resource; kept once, however many it spoke of."""

    __tablename__ = "journal_text"
    __table_args__ = (Index("journal_text_of", "inbox_id"),)
    uid: str = Field(sa_column=Column("uid", Text, primary_key=True))
    link: str = _text("link")
    data_key: bytes = _sealed("data_key")
    message: bytes = _sealed("message")
    inbox_id: int | None = _number("inbox_id", nullable=True)  # of the message that it was, or was made of


class JournalMessage(Row, table=True):
    """Which message of a family spoke last of a resource. ``resource``: a blind index, of the family too."""

    __tablename__ = "journal_message"
    __table_args__ = (Index("journal_message_text", "text_uid"), {"sqlite_with_rowid": False})
    resource: bytes = Field(sa_column=Column("resource", LargeBinary, primary_key=True))
    family: str = Field(sa_column=Column("family", Text, primary_key=True))
    text_uid: str = Field(sa_column=Column("text_uid", Text, ForeignKey("journal_text.uid"), nullable=False))
    told_at: int = Field(
        default=0, sa_column=Column("told_at", Integer, nullable=False, server_default="0")
    )  # when the partner says it happened; 0: it does not say


class SearchIndex(Row, table=True):
    """Received messages by what they are about. ``value``, ``qualified`` (with authority): blind indexes."""

    __tablename__ = "blind_index"
    __table_args__ = (Index("blind_index_of", "inbox_id"), {"sqlite_with_rowid": False})
    kind: int = Field(sa_column=Column("kind", Integer, primary_key=True))
    value: bytes = Field(sa_column=Column("value", LargeBinary, primary_key=True))
    qualified: bytes = Field(sa_column=Column("qualified", LargeBinary, primary_key=True))
    inbox_id: int = Field(sa_column=Column("inbox_id", Integer, primary_key=True))


class Tally(Row, table=True):
    """Counts, kept in the transactions that change them."""

    __tablename__ = "tally"
    __table_args__ = ({"sqlite_with_rowid": False},)
    link: str = Field(sa_column=Column("link", Text, primary_key=True))
    direction: str = Field(sa_column=Column("direction", Text, primary_key=True))
    name: str = Field(sa_column=Column("name", Text, primary_key=True))
    value: int = _number("value")


class SpentAssertion(Row, table=True):
    """Client assertions that our token endpoint took: none counts a second time while it could be valid."""

    __tablename__ = "spent_assertion"
    __table_args__ = (Index("spent_assertion_over", "ends_at"), {"sqlite_with_rowid": False})
    assertion: bytes = Field(
        sa_column=Column("assertion", LargeBinary, primary_key=True)
    )  # blind index: client, jti
    ends_at: int = _number("ends_at")


class Emergency(Row, table=True):
    """A person broke the glass. ``realm``: whose name it is, of the machine's user or of who logged in."""

    __tablename__ = "emergency"
    __table_args__ = (Index("emergency_over", "ends_at"), {"sqlite_with_rowid": False})
    realm: str = Field(sa_column=Column("realm", Text, primary_key=True))
    name: str = Field(sa_column=Column("name", Text, primary_key=True))
    reason: str = _text("reason")
    since: int = _number("since")
    ends_at: int = _number("ends_at")


class Feed(Row, table=True):
    """How far a repository surely has the audit log. ``reason``: the error for which nothing moves."""

    __tablename__ = "feed"
    __table_args__ = ({"sqlite_with_rowid": False},)
    name: str = Field(sa_column=Column("name", Text, primary_key=True))
    seq: int = _number("seq")  # of the last entry; 0: none
    at: int = _number("at")
    reason: str = _text("reason")
    since: int | None = _number("since", nullable=True)


class Effective(Row, table=True):
    """Settings and profiles that are in force, by the hashes of their files."""

    __tablename__ = "effective"
    __table_args__ = ({"sqlite_with_rowid": False},)
    name: str = Field(sa_column=Column("name", Text, primary_key=True))  # "settings", "profile demo"
    sha256: str = _text("sha256")


class Kek(Row, table=True):
    """A key-encryption key that the store knows, in the order in which they became the current one."""

    __tablename__ = "kek"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = _id()
    provider: str = _text("provider")
    key_id: str = _text("key_id")
    since: int = _number("since")  # 0: the key of a store of the first form


class WrappedKey(Row, table=True):
    """The keys that a key-encryption key wraps: one for each partner and day, and the root.

    The root has neither partner nor day. A destroyed key has an empty ``wrapped``.
    """

    __tablename__ = "wrapped_key"
    __table_args__ = (
        Index("wrapped_key_of", "partner", "day"),
        Index("wrapped_key_by", "kek"),
        Index("wrapped_key_destroyed", "destroyed_at", sqlite_where=text(DESTROYED)),
    )
    id: int = Field(sa_column=Column("id", Integer, primary_key=True))  # 63 random bits
    partner: str = _text("partner")
    day: str = _text("day")  # 2026-11-23, in UTC
    kek: int = Field(sa_column=Column("kek", Integer, ForeignKey("kek.id"), nullable=False))
    wrapped: bytes = _sealed("wrapped")
    uses: int = _number("uses")  # records whose data key it has wrapped
    made_at: int = _number("made_at")
    destroyed_at: int | None = _number("destroyed_at", nullable=True)


def table(model: type[SQLModel]) -> Table:
    """The Core table of a model."""
    return METADATA.tables[str(model.__tablename__)]
