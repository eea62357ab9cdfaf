"""Client assertions that were used at the token endpoint."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Empty: nobody had a token endpoint before."""
    op.create_table(
        "spent_assertion",
        sa.Column("assertion", sa.LargeBinary, primary_key=True),
        sa.Column("ends_at", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("spent_assertion_over", "spent_assertion", ["ends_at"])
