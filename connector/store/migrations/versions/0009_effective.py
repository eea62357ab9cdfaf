"""Which settings and profiles are in force."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    """Empty: what was in force before is not known, and the next start says what is."""
    op.create_table(
        "effective",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
