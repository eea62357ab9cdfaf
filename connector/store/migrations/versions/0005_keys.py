"""Keys of partners and days, wrapped by key-encryption keys that may be changed.

What the store of the first form had wrapped with the key-encryption key itself is wrapped anew when it is
opened (``store.adopting``), in this same transaction: that needs the key, and this here has none.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """The key that the store was made with is the first that it knows; ``since`` 0 marks it."""
    op.create_table(
        "kek",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "wrapped_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("partner", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("kek", sa.Integer, sa.ForeignKey("kek.id"), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("made_at", sa.Integer, nullable=False),
        sa.Column("destroyed_at", sa.Integer),
    )
    op.create_index("wrapped_key_of", "wrapped_key", ["partner", "day"])
    op.create_index("wrapped_key_by", "wrapped_key", ["kek"])
    destroyed = sa.text("destroyed_at IS NOT NULL")
    op.create_index("wrapped_key_destroyed", "wrapped_key", ["destroyed_at"], sqlite_where=destroyed)
    op.execute("INSERT INTO kek (provider, key_id, since) SELECT 'file', key_id, 0 FROM store_key")
    op.drop_table("store_key")
