"""Alembic's entry: runs the revisions on the connection that ``store/migrator.py`` (or a developer's `alembic`) hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from pagemind import records

# The tables are those of the records: for `alembic revision --autogenerate`.
METADATA = records.Agent.metadata


def run(connection: Connection) -> None:
    """Bring the schema up inside one transaction: all of it or nothing."""
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").connect() as own:
        run(own)
