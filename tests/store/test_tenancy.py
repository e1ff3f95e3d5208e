"""One tenant's rows are out of another's reach, by the database's own rules."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import StoreConflict, UnknownAgent, UnsafeRole, UnstorableValue
from pagemind.records import Agent, Block, Conversation, Message, Run
from pagemind.settings import Settings
from pagemind.store import agents, blocks
from pagemind.store.database import Database, make_engine
from pagemind.store.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

TABLES = text(
    "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'"
)


async def test_another_tenants_agent_is_not_there(database: Database, stranger: Database, agent: Agent) -> None:
    async with stranger.transaction() as session:
        assert await agents.all(session) == []
        with pytest.raises(UnknownAgent):
            await agents.get(session, agent.id)
        with pytest.raises(UnknownAgent):
            await agents.get(session, agent.name)


async def test_another_tenants_rows_cannot_be_written(database: Database, stranger: Database, agent: Agent) -> None:
    async with stranger.transaction() as session:
        changed = await session.execute(
            text("UPDATE agents SET description = 'mine' WHERE id = :id RETURNING id"), {"id": agent.id}
        )
        assert changed.all() == []
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with stranger.transaction() as session:
            await agents.add(session, Agent(tenant_id=database.tenant_id, name="forged"))


async def test_another_tenants_rows_cannot_be_referred_to(stranger: Database, agent: Agent) -> None:
    with pytest.raises(StoreConflict, match="fkey"):
        async with stranger.transaction() as session:
            session.add(Conversation(tenant_id=stranger.tenant_id, agent_id=agent.id))


async def test_another_tenants_ids_cannot_be_probed(stranger: Database, agent: Agent) -> None:
    async with stranger.transaction() as session:
        await agents.add(session, Agent(tenant_id=stranger.tenant_id, id=agent.id, name=agent.name))
    async with stranger.transaction() as session:
        assert (await agents.get(session, agent.id)).tenant_id == stranger.tenant_id


async def test_without_a_tenant_no_row_is_seen(database: Database, agent: Agent, talk: list[Message]) -> None:
    async with AsyncSession(database.engine) as session, session.begin():
        for table, _, _ in await session.execute(TABLES):
            assert await session.scalar(text(f'SELECT count(*) FROM "{table}"')) == 0, table


async def test_a_pooled_connection_forgets_the_tenant(database: Database, agent: Agent) -> None:
    async with database.transaction() as session:
        backend = await session.scalar(text("SELECT pg_backend_pid()"))
        assert len(await agents.all(session)) == 1
    async with AsyncSession(database.engine) as session, session.begin():
        assert await session.scalar(text("SELECT pg_backend_pid()")) == backend
        assert await session.scalar(text("SELECT current_setting('app.tenant', true)")) == ""
        assert await agents.all(session) == []
    async with database.transaction(uuid4()) as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) == backend
        assert await agents.all(session) == []


async def test_every_table_forces_row_level_security(database: Database) -> None:
    async with database.transaction() as session:
        rows = (await session.execute(TABLES)).all()
    assert len(rows) == 32
    assert [name for name, enabled, forced in rows if not (enabled and forced)] == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM messages",
        "UPDATE messages SET content = ''",
        "UPDATE block_revisions SET value = ''",
        "DELETE FROM block_revisions",
        "UPDATE run_events SET data = '{}'",
        "DELETE FROM run_events",
        "UPDATE passages SET text = ''",
        "DELETE FROM passages",
        "TRUNCATE runs",
        "DROP TABLE runs",
        "SET ROLE pagemind_owner",
        "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE TABLE mine ()",
    ],
)
async def test_history_cannot_be_rewritten_by_the_runtimes_role(database: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with database.transaction() as session:
            await session.execute(text(statement))


@pytest.fixture
def roles(server_home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(server_home)


@pytest.mark.parametrize("role", ["superuser", "owner", "bypass", "member"])
async def test_a_role_that_bypasses_the_rules_is_refused(database: Database, roles: EmbeddedPostgres, role: str) -> None:
    superuser = roles.superuser_url().set(database="pagemind")
    urls = {"superuser": superuser, "owner": roles.owner_url()}
    engine = make_engine(superuser)
    async with AsyncSession(engine) as session, session.begin():
        for name, extra in (("bypass", "BYPASSRLS"), ("member", "IN ROLE pagemind_owner")):
            if not await session.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}):
                await session.execute(text(f"CREATE ROLE {name} LOGIN {extra} PASSWORD 'x'"))
                await session.execute(text(f"GRANT pagemind_app TO {name}"))
            urls[name] = superuser.set(username=name, password="x")
    await engine.dispose()
    url = urls[role].set(drivername="postgresql").render_as_string(hide_password=False)
    with pytest.raises(UnsafeRole):
        await Database.open(Settings(database_url=SecretStr(url), tenant_id=uuid4()))


async def test_an_external_server_is_opened_by_its_url(roles: EmbeddedPostgres) -> None:
    url = roles.app_url().set(drivername="postgresql").render_as_string(hide_password=False)
    opened = await Database.open(Settings(database_url=SecretStr(url), tenant_id=uuid4()))
    async with opened.transaction() as session:
        assert await agents.all(session) == []
    await opened.close()


async def test_a_conversation_has_at_most_one_running_run(database: Database, run: Run) -> None:
    async def start_another() -> None:
        async with database.transaction() as session:
            session.add(
                Run(tenant_id=run.tenant_id, conversation_id=run.conversation_id, agent_id=run.agent_id, state="running")
            )

    await start_another()
    with pytest.raises(StoreConflict, match="runs_one_running"):
        await start_another()


async def test_a_failed_transaction_leaves_nothing_behind(database: Database, agent: Agent) -> None:
    async def fail_late() -> None:
        async with database.transaction() as session:
            block = Block(tenant_id=agent.tenant_id, label="human")
            await blocks.create(session, agent.id, block, author="person:me", position=0)
            await session.execute(text("SELECT 1/0"))

    with pytest.raises(UnstorableValue, match="division by zero"):
        await fail_late()
    async with database.transaction() as session:
        assert await blocks.of_agent(session, agent.id) == []


async def test_a_transaction_costs_two_round_trips_beside_its_statements(database: Database) -> None:
    before = database.round_trips
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
    assert database.round_trips - before == 3
