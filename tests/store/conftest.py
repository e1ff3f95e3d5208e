"""What the tests of the store begin with: an open database, an agent, a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.records import Agent, Conversation, Message, Role, Run
from pagemind.settings import Settings
from pagemind.store import agents, conversations, history
from pagemind.store.database import Database


@pytest.fixture
async def database(server_home: Path) -> AsyncGenerator[Database]:
    """The server under a tenant of this test's own: nothing of another test can be seen."""
    opened = await Database.open(Settings(home=server_home, tenant_id=uuid4()))
    yield opened
    await opened.close()


@pytest.fixture
async def stranger(server_home: Path) -> AsyncGenerator[Database]:
    """The same server under yet another tenant."""
    opened = await Database.open(Settings(home=server_home, tenant_id=uuid4()))
    yield opened
    await opened.close()


@pytest.fixture
async def agent(database: Database) -> Agent:
    async with database.transaction() as session:
        return await agents.add(session, Agent(tenant_id=database.tenant_id, name="ada"))


@pytest.fixture
async def run(database: Database, agent: Agent) -> Run:
    """An accepted run in a conversation of its own."""
    async with database.transaction() as session:
        thread = await conversations.add(session, Conversation(tenant_id=agent.tenant_id, agent_id=agent.id))
        accepted = Run(tenant_id=agent.tenant_id, conversation_id=thread.id, agent_id=agent.id)
        session.add(accepted)
    return accepted


Say = Callable[..., Message]


@pytest.fixture
def say(run: Run) -> Say:
    """Make a message of the run's conversation: ``say(seq, content, role)``."""

    def message(seq: int | None, content: str, role: str = Role.user) -> Message:
        return Message(
            tenant_id=run.tenant_id, conversation_id=run.conversation_id, run_id=run.id, seq=seq, role=role, content=content
        )

    return message


@pytest.fixture
async def talk(database: Database, say: Say) -> list[Message]:
    """A conversation of five messages."""
    said = [
        say(1, "The dentist appointment is on Tuesday."),
        say(2, "Noted: dentist on Tuesday.", Role.assistant),
        say(3, "We danced in Porto all night."),
        say(4, "Der Zug nach München fährt um acht."),
        say(5, "dentist: 2 hits", Role.tool),
    ]
    async with database.transaction() as session:
        await history.add(session, said)
    return said
