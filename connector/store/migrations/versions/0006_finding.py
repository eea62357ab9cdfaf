"""Blind indexes by which messages are found and erased, and of which message the journal and conflicts are.

Of what was taken before nobody knows it: it is not found by what it says, and it is erased by its number or
its day.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    """An empty index, and empty places."""
    op.create_table(
        "blind_index",
        sa.Column("kind", sa.Integer, primary_key=True),
        sa.Column("value", sa.LargeBinary, primary_key=True),
        sa.Column("qualified", sa.LargeBinary, primary_key=True),
        sa.Column("inbox_id", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("blind_index_of", "blind_index", ["inbox_id"])
    for table in ("journal_resource", "journal_text"):
        op.add_column(table, sa.Column("inbox_id", sa.Integer))
        op.create_index(f"{table}_of", table, ["inbox_id"])
    op.add_column("conflict", sa.Column("source", sa.Text, nullable=False, server_default=""))
