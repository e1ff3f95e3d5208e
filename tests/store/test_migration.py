"""The migrated database is the one that the records describe."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import URL, Connection, create_engine, text

from pagemind.errors import StoreBehind, StoreNewer, StoreVersion
from pagemind.records import Agent
from pagemind.settings import Settings
from pagemind.store.database import Database
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.store.migrate import HEAD, KNOWN, check_versions
from pagemind.store.migrator import configuration, upgrade

pytestmark = pytest.mark.anyio


def named_tables_only(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Keys, indexes, checks and the search vectors stand in the migration only: the records say what is stored, not how."""
    extras = kind in {"index", "unique_constraint", "foreign_key_constraint"} and reflected
    return not (extras or (kind == "column" and name in ("words", "digest")) or (kind == "table" and name == "alembic_version"))


def test_the_records_and_the_migrated_tables_are_the_same(server_home: Path) -> None:
    server = EmbeddedPostgres(server_home)
    asyncio.run(open_and_close(server_home))
    engine = create_engine(server.owner_url())
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": named_tables_only, "target_metadata": Agent.metadata}
        )
        assert compare_metadata(context, Agent.metadata) == []
    engine.dispose()


async def open_and_close(home: Path) -> None:
    await (await Database.open(Settings(home=home, tenant_id=uuid4()))).close()


def test_head_is_the_newest_revision() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert scripts.get_current_head() == HEAD
    assert [script.revision for script in reversed(list(scripts.walk_revisions()))] == list(KNOWN)


def test_opening_an_up_to_date_store_does_not_import_alembic() -> None:
    source = importlib.util.find_spec("pagemind.store.database")
    assert source is not None
    assert "alembic" not in Path(str(source.origin)).read_text()


def set_revision(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.fixture
def revision_9999(server_home: Path, database: Database) -> Any:
    """The server's schema pretends to be of the future while this test runs."""
    engine = create_engine(EmbeddedPostgres(server_home).owner_url())
    with engine.begin() as connection:
        set_revision(connection, "9999")
    yield
    with engine.begin() as connection:
        set_revision(connection, HEAD)
    engine.dispose()


@pytest.mark.usefixtures("revision_9999")
async def test_a_newer_store_is_refused(server_home: Path) -> None:
    with pytest.raises(StoreNewer, match="9999"):
        await Database.open(Settings(home=server_home))
    with pytest.raises(StoreNewer):
        await asyncio.to_thread(upgrade, EmbeddedPostgres(server_home).owner_url(), "pagemind_app")


@pytest.fixture
def empty_database(server_home: Path) -> Any:
    """The URL, as owner and as the runtime's role, of a database without tables."""
    server = EmbeddedPostgres(server_home)
    engine = create_engine(server.superuser_url(), isolation_level="AUTOCOMMIT")
    name = f"empty_{uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} OWNER pagemind_owner"))
    inside = create_engine(server.superuser_url().set(database=name), isolation_level="AUTOCOMMIT")
    with inside.connect() as connection:
        connection.execute(text("CREATE EXTENSION vector"))
    inside.dispose()
    yield server.owner_url().set(database=name), server.app_url().set(database=name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


def plain(url: URL) -> SecretStr:
    return SecretStr(url.set(drivername="postgresql").render_as_string(hide_password=False))


async def test_two_processes_may_migrate_at_once(empty_database: tuple[URL, URL]) -> None:
    owner, app = empty_database
    with pytest.raises(StoreBehind):
        await Database.open(Settings(database_url=plain(app)))
    settings = Settings(database_url=plain(app), migration_url=plain(owner))
    for database in await asyncio.gather(Database.open(settings), Database.open(settings)):
        await database.close()


@pytest.mark.parametrize(("server", "pgvector"), [(150_004, "0.8.1"), (160_000, None), (170_001, "0.7.4")])
def test_a_server_that_is_too_old_is_refused(server: int, pgvector: str | None) -> None:
    with pytest.raises(StoreVersion):
        check_versions(server, str(server), pgvector)


def test_pgvector_0_10_is_newer_than_0_8() -> None:
    check_versions(180_000, "18", "0.10.0")
