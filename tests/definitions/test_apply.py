"""Files applied to a real store: one transaction, idempotent, with authors and histories."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.definitions.export import definition_of, to_yaml
from pagemind.definitions.loader import Source, load_text
from pagemind.engine.apply import apply, plan_all, read_agent
from pagemind.errors import PagemindError, UnstorableValue
from pagemind.records import Agent, Block, BlockRevision, Rewrite, edit_to_json
from pagemind.settings import Settings
from pagemind.store import agents, blocks
from pagemind.store.database import Database

pytestmark = pytest.mark.anyio

ADA = """
version: 1
kind: agent
name: ada
description: A friend.
instructions: Be kind.
model: {api_key: '${secret:KEY}', temperature: 0.2}
blocks:
  persona: {owner: config, value: I am Ada.}
  human: {owner: agent, value: Unknown., description: Who they are.}
tags: [x]
"""


@pytest.fixture
async def database(settings: Settings) -> AsyncGenerator[Database]:
    opened = await Database.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def empty_home(settings: Settings) -> AsyncGenerator[Database]:
    opened = await Database.open(settings.model_copy(update={"tenant_id": uuid4()}))
    yield opened
    await opened.close()


def file(text: str, name: str = "ada.yaml") -> Source:
    return load_text(text, Path("agents") / name, {})


async def stored(database: Database, name: str = "ada") -> tuple[Agent, dict[str, Block]]:
    async with database.transaction() as session:
        agent = await agents.get(session, name)
        return agent, {block.label: block for block in await blocks.of_agent(session, agent.id)}


async def history(database: Database, block: Block) -> list[BlockRevision]:
    async with database.transaction() as session:
        return await blocks.history(session, block.id)


async def write(database: Database, label: str, value: str) -> None:
    """Edit the block as the agent would."""
    _, its_blocks = await stored(database)
    async with database.transaction() as session:
        locked = await blocks.lock(session, [its_blocks[label].id])
        block = locked[its_blocks[label].id]
        await blocks.write(session, block, value, author="agent:ada", edit=edit_to_json(Rewrite(value)))


async def test_an_apply_makes_the_agent_and_a_second_one_changes_nothing(database: Database) -> None:
    [made] = await apply(database, [file(ADA)])
    assert not made.exists
    agent, its_blocks = await stored(database)
    assert (agent.description, agent.tags, agent.model["temperature"]) == ("A friend.", ["x"], 0.2)
    assert list(its_blocks) == ["persona", "human"]
    assert its_blocks["persona"].owner == "config"
    [again] = await apply(database, [file(ADA)])
    assert again.is_clean
    assert not again.changes
    assert (await stored(database))[0].updated_at == agent.updated_at


async def test_a_secret_is_stored_as_a_reference(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-12345")
    await apply(database, [file(ADA)])
    agent, _ = await stored(database)
    assert agent.model["api_key"] == "${secret:KEY}"
    assert "sk-12345" not in agent.model_dump_json()


async def test_what_the_agent_wrote_is_never_overwritten(database: Database) -> None:
    await apply(database, [file(ADA)])
    await write(database, "human", "Likes Porto.")
    changed = ADA.replace("Unknown.", "Another seed.").replace("Who they are.", "Who it is.").replace("A friend", "An ally")
    await apply(database, [file(changed)])
    agent, its_blocks = await stored(database)
    assert agent.description == "An ally."
    assert (its_blocks["human"].value, its_blocks["human"].description) == ("Likes Porto.", "Who it is.")
    assert its_blocks["human"].revision == 2


async def test_a_block_of_the_config_is_rewritten_with_the_file_as_author(database: Database) -> None:
    await apply(database, [file(ADA)])
    await apply(database, [file(ADA.replace("I am Ada.", "I am Ada Lovelace."))])
    _, its_blocks = await stored(database)
    newest, seed = await history(database, its_blocks["persona"])
    assert (newest.value, newest.author, newest.edit["kind"]) == ("I am Ada Lovelace.", "config:ada.yaml", "rewrite")
    assert (seed.value, seed.author) == ("I am Ada.", "config:ada.yaml")


async def test_a_block_taken_out_of_the_file_is_detached_with_its_history(database: Database) -> None:
    await apply(database, [file(ADA)])
    _, before = await stored(database)
    await apply(database, [file(ADA.replace("  persona: {owner: config, value: I am Ada.}\n", ""))])
    _, after = await stored(database)
    assert list(after) == ["human"]
    assert [revision.value for revision in await history(database, before["persona"])] == ["I am Ada."]


async def test_blocks_are_put_in_the_order_of_the_file(database: Database) -> None:
    await apply(database, [file(ADA)])
    human, persona = "  human: {owner: agent}\n", "  persona: {owner: config, value: I am Ada.}\n"
    head, _, tail = ADA.partition("blocks:\n")
    reordered = f"{head}blocks:\n{human}  plan: {{owner: agent}}\n{persona}tags:{tail.partition('tags:')[2]}"
    await apply(database, [file(reordered)])
    assert list((await stored(database))[1]) == ["human", "plan", "persona"]
    assert (await plan_all(database, [file(reordered)]))[0].is_clean


async def test_a_plan_changes_nothing(database: Database) -> None:
    [made] = await plan_all(database, [file(ADA)])
    assert not made.is_clean
    async with database.transaction() as session:
        assert await agents.all(session) == []


async def test_of_several_files_all_are_applied_or_none(database: Database) -> None:
    bob = file(ADA.replace("name: ada", "name: bob"), "bob.yaml")
    broken = bob.definition.model_copy(update={"description": "a\x00b"})
    with pytest.raises(UnstorableValue):
        await apply(database, [file(ADA), Source(bob.path, broken)])
    async with database.transaction() as session:
        assert await agents.all(session) == []
    assert [plan.agent for plan in await apply(database, [file(ADA), bob])] == ["ada", "bob"]


async def test_two_applies_at_once_make_one_agent(database: Database) -> None:
    both = await asyncio.gather(*(apply(database, [file(ADA)]) for _ in range(4)))
    assert sorted(plans[0].exists for plans in both) == [False, True, True, True]
    assert len((await stored(database))[1]) == 2


async def test_a_change_by_hand_is_kept_until_the_file_changes_the_same(database: Database) -> None:
    await apply(database, [file(ADA)])
    agent, _ = await stored(database)
    agent.description = "By hand."
    async with database.transaction() as session:
        await agents.save(session, agent)
    [kept] = await apply(database, [file(ADA)])
    assert kept.is_clean
    assert [change.path for change in kept.changes] == ["description"]
    await apply(database, [file(ADA.replace("A friend.", "An ally."))])
    assert (await stored(database))[0].description == "An ally."


async def test_an_exported_agent_is_the_same_in_an_empty_home(database: Database, empty_home: Database) -> None:
    await apply(database, [file(ADA)])
    await write(database, "human", "Likes Porto.\nCosts ${5}.")
    text = to_yaml(definition_of(await read_agent(database, "ada")))
    assert "${secret:KEY}" in text
    await apply(empty_home, [file(text)])
    here, there = await read_agent(database, "ada"), await read_agent(empty_home, "ada")
    assert there == here
    assert list(there.blocks) == list(here.blocks)


async def test_another_tenants_agents_are_not_seen(database: Database, empty_home: Database) -> None:
    await apply(database, [file(ADA)])
    with pytest.raises(PagemindError):
        await read_agent(empty_home, "ada")
