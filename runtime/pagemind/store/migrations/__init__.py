"""The schema's history, as Alembic revisions of explicit SQL."""
