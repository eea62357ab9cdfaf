"""Run by Alembic. The connection comes from the store, which has begun a transaction and will end it."""

from __future__ import annotations

from alembic import context

from connector.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
