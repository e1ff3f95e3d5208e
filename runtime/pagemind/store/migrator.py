"""Runs the migrations. Imports Alembic: loaded only where the schema is behind."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.pool import NullPool

from pagemind.errors import StoreNewer
from pagemind.store.failures import store_errors
from pagemind.store.migrate import HEAD, KNOWN
from pagemind.store.migrations.grants import grant

LOCK = 0x706167656D696E64
"""Of the advisory lock: "pagemind" in ASCII. Two processes may find the schema behind at once."""


def upgrade(owner: URL, app_role: str) -> None:
    """Migrate to ``HEAD`` in one transaction and give the runtime's role its rights. Blocking."""
    engine = create_engine(owner, poolclass=NullPool)
    with store_errors(), engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in KNOWN:
            raise StoreNewer(found=found, known=HEAD)
        command.upgrade(configuration(connection), "head")
        grant(connection, app_role)


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
