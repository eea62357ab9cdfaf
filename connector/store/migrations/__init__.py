"""How the schema came to be: Alembic migrations, run when a store is opened."""
