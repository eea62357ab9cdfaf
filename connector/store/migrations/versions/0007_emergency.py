"""Who broke the glass, and until when."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """Empty: nobody could before."""
    op.create_table(
        "emergency",
        sa.Column("realm", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("ends_at", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("emergency_over", "emergency", ["ends_at"])
