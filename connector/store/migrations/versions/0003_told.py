"""When what a v2 message tells happened, so that an older one is known for what it is."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Of the messages that are there nobody knows it any more."""
    op.add_column("journal_message", sa.Column("told_at", sa.Integer, nullable=False, server_default="0"))
