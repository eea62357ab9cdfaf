"""The first schema."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Make everything."""
    _inbox()
    _outbox()
    _quarantine()
    _journal()
    _counts()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


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
        _text("reason"),
        sa.Column("received_at", sa.Integer, nullable=False),
        _blob("data_key"),
        _blob("meta"),
        _blob("answer"),
        sa.Column("lost", sa.LargeBinary),
        _blob("payload"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("inbox_once", "inbox", ["control", "content"], unique=True)
    _lane("inbox_waiting", "inbox", "state = 'waiting'")
    _lane("inbox_dead", "inbox", "state = 'dead'")


def _outbox() -> None:
    op.create_table(
        "outbox",
        _id(),
        _text("uid"),
        sa.Column("inbox_id", sa.Integer, sa.ForeignKey("inbox.id"), nullable=False),
        _text("link"),
        _text("direction"),
        _text("state"),
        _text("reason"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.Integer, nullable=False),
        sa.Column("intended_at", sa.Integer),
        sa.Column("delivered_at", sa.Integer),
        _blob("data_key"),
        _blob("meta"),
        _blob("payload"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    _lane("outbox_open", "outbox", "state IN ('waiting', 'intended')")
    _lane("outbox_dead", "outbox", "state = 'dead'")
    op.create_index("outbox_of_inbox", "outbox", ["inbox_id"])


def _lane(name: str, table: str, where: str) -> None:
    op.create_index(name, table, ["link", "direction", "id"], sqlite_where=sa.text(where))


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        _id(),
        _text("uid"),
        _text("link"),
        _text("reason"),
        _text("fingerprint"),
        sa.Column("received_at", sa.Integer, nullable=False),
        _blob("data_key"),
        _blob("payload"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )


def _journal() -> None:
    op.create_table(
        "journal_resource",
        sa.Column("resource", sa.LargeBinary, primary_key=True),
        _text("link"),
        _blob("data_key"),
        _blob("content"),
    )
    op.create_table(
        "journal_text",
        sa.Column("uid", sa.Text, primary_key=True),
        _text("link"),
        _blob("data_key"),
        _blob("message"),
    )
    op.create_table(
        "journal_message",
        sa.Column("resource", sa.LargeBinary, primary_key=True),
        sa.Column("family", sa.Text, primary_key=True),
        sa.Column("text_uid", sa.Text, sa.ForeignKey("journal_text.uid"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("journal_message_text", "journal_message", ["text_uid"])


def _counts() -> None:
    op.create_table(
        "tally",
        sa.Column("link", sa.Text, primary_key=True),
        sa.Column("direction", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("store_key", sa.Column("key_id", sa.Text, primary_key=True))
