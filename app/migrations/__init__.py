"""The database's history: one linear chain of alembic revisions."""
