"""Lanes, the two states of a delivery, pauses, sequence numbers, and what lost where both sides changed.

``inbox`` and ``outbox`` are made anew and filled from what was there: SQLite adds columns at the end only,
behind the payload, where to read one would be to read through the payload.
"""

from __future__ import annotations

import hashlib
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

_KEPT_OF_INBOX: Final = (
    "id, uid, link, direction, control, content, state, reason, received_at, data_key, meta, answer, lost,"
    " payload"
)
_DELIVERY: Final = "CASE state WHEN 'waiting' THEN 'queued' WHEN 'intended' THEN 'sending' ELSE state END"
_ANSWERED: Final = (
    "CASE state WHEN 'delivered' THEN 'positive' WHEN 'dead' THEN 'negative' WHEN 'replaced' THEN 'negative'"
    " ELSE 'pending' END"
)
_OPEN: Final = "delivery IN ('queued', 'sending', 'refused')"


def upgrade() -> None:
    """Make what is new, fill it from what is there, and drop what was."""
    for name in (
        "inbox_once",
        "inbox_waiting",
        "inbox_dead",
        "outbox_open",
        "outbox_dead",
        "outbox_of_inbox",
    ):
        op.drop_index(name)
    op.rename_table("inbox", "inbox_0001")
    op.rename_table("outbox", "outbox_0001")
    _inbox()
    _outbox()
    _lanes()
    _rest()
    _fill()
    op.drop_table("outbox_0001")
    op.drop_table("inbox_0001")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, primary_key=primary_key)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _by(name: str, table: str, where: str, last: str = "id") -> None:
    op.create_index(name, table, ["link", "direction", last], sqlite_where=sa.text(where))


def _inbox() -> None:
    op.create_table(
        "inbox",
        _id(),
        _text("uid"),
        _text("link"),
        _text("direction"),
        _blob("control"),
        _blob("content"),
        _text("state"),
        _text("acknowledgment"),
        _text("reason"),
        _number("received_at"),
        sa.Column("done_at", sa.Integer),
        sa.Column("version_of", sa.Integer),
        _blob("data_key"),
        _blob("meta"),
        _blob("answer"),
        sa.Column("lost", sa.LargeBinary),
        _blob("payload"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("inbox_once", "inbox", ["control", "content"], unique=True)
    _by("inbox_waiting", "inbox", "state = 'waiting'")
    _by("inbox_dead", "inbox", "state = 'dead'")
    _by("inbox_owed", "inbox", "acknowledgment = 'pending' AND state IN ('delivered', 'dead')")
    _by("inbox_done", "inbox", "state IN ('delivered', 'replaced')", "done_at")


def _outbox() -> None:
    op.create_table(
        "outbox",
        _id(),
        _text("uid"),
        sa.Column("inbox_id", sa.Integer, sa.ForeignKey("inbox.id"), nullable=False),
        _text("link"),
        _text("direction"),
        _text("delivery"),
        _text("acknowledgment"),
        _text("reason"),
        _number("attempts"),
        _number("next_attempt_at"),
        sa.Column("intended_at", sa.Integer),
        sa.Column("delivered_at", sa.Integer),
        sa.Column("version_of", sa.Integer),
        _blob("lanes"),
        _blob("data_key"),
        _blob("meta"),
        _blob("payload"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    _by("outbox_open", "outbox", _OPEN)
    _by("outbox_dead", "outbox", "delivery = 'dead'")
    op.create_index("outbox_of_inbox", "outbox", ["inbox_id"])


def _lanes() -> None:
    op.create_table(
        "outbox_lane",
        sa.Column("lane", sa.LargeBinary, primary_key=True),
        sa.Column("outbox_id", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lane",
        sa.Column("lane", sa.LargeBinary, primary_key=True),
        _text("link"),
        _text("direction"),
        _number("head"),
        _number("depth"),
        _number("due_at"),
        _text("blocked"),
        _text("reason"),
        _number("attempts"),
        sqlite_with_rowid=False,
    )
    op.create_index("lane_due", "lane", ["link", "direction", "blocked", "due_at", "head"])


def _rest() -> None:
    op.create_table(
        "pause",
        _text("link", primary_key=True),
        _text("direction", primary_key=True),
        _text("by"),
        _text("reason"),
        _number("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sequence",
        _text("link", primary_key=True),
        sa.Column("sender", sa.LargeBinary, primary_key=True),
        _number("expected"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conflict",
        _id(),
        _text("uid"),
        _text("link"),
        _blob("resource"),
        _text("path"),
        _text("winner"),
        _text("state"),
        _number("at"),
        _blob("data_key"),
        _blob("value"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("conflict_by_state", "conflict", ["link", "state", "id"])


def _fill() -> None:
    op.execute(
        f"INSERT INTO inbox ({_KEPT_OF_INBOX}, acknowledgment, done_at)"  # noqa: S608 - words of ours
        f" SELECT {_KEPT_OF_INBOX}, 'not owed', CASE WHEN state = 'delivered' THEN received_at END"
        " FROM inbox_0001 ORDER BY id"
    )
    connection = op.get_bind()
    ways = connection.exec_driver_sql("SELECT DISTINCT link, direction FROM outbox_0001").all()
    for link, direction in ways:
        _fill_lane(connection, str(link), str(direction))


def _fill_lane(connection: sa.Connection, link: str, direction: str) -> None:
    kept = "id, uid, inbox_id, link, direction, reason, attempts, next_attempt_at, intended_at, delivered_at,"
    kept += " data_key, meta, payload"
    lane, which = _link_lane(link, direction), "link = ? AND direction = ?"
    connection.exec_driver_sql(
        f"INSERT INTO outbox ({kept}, delivery, acknowledgment, lanes)"  # noqa: S608 - words of ours
        f" SELECT {kept}, {_DELIVERY}, {_ANSWERED}, ? FROM outbox_0001 WHERE {which} ORDER BY id",
        (lane, link, direction),
    )
    connection.exec_driver_sql(
        f"INSERT INTO outbox_lane SELECT ?, id FROM outbox WHERE {which} AND {_OPEN}",  # noqa: S608
        (lane, link, direction),
    )
    columns = "lane, link, direction, head, depth, due_at, blocked, reason, attempts"
    values = "?, link, direction, id, (SELECT count(*) FROM outbox_lane WHERE lane = ?), next_attempt_at, '',"
    connection.exec_driver_sql(
        f"INSERT INTO lane ({columns}) SELECT {values} reason, attempts FROM outbox"  # noqa: S608
        f" WHERE {which} AND {_OPEN} ORDER BY id LIMIT 1",
        (lane, lane, link, direction),
    )


def _link_lane(link: str, direction: str) -> bytes:
    """As ``store.lanes.link_lane`` makes it; written here again, since a migration never changes."""
    parts = (part.encode("utf-8", "surrogatepass") for part in (link, direction))
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
