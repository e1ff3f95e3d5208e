"""Agents, blocks and passages keep what they are told, with its history."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pagemind.errors import EmbedderMismatch, StoreConflict, UnknownAgent, UnknownRecord
from pagemind.memory.ranking import Asked, ranked
from pagemind.records import Agent, Block, Filters, Passage, now
from pagemind.store import agents, archives, blocks, embedding_models, embeddings, passages, vector_walks
from pagemind.store.database import Database

pytestmark = pytest.mark.anyio

MODEL = "three"
"""A made-up embedding model of three dimensions: sea, city, food."""


async def test_an_agent_is_found_by_name_and_by_id(database: Database, agent: Agent) -> None:
    async with database.transaction() as session:
        for name in ("ada", str(agent.id), agent.id):
            assert (await agents.get(session, name)).id == agent.id
        with pytest.raises(UnknownAgent, match="bob"):
            await agents.get(session, "bob")


async def test_the_name_of_an_agent_from_a_file_is_free_again_once_it_is_removed(database: Database, agent: Agent) -> None:
    async with database.transaction() as session:
        first = await agents.add(session, Agent(tenant_id=agent.tenant_id, name="ada", applied={"name": "ada"}))
        assert (await agents.get(session, "ada")).id == first.id
    with pytest.raises(StoreConflict):
        async with database.transaction() as session:
            await agents.add(session, Agent(tenant_id=agent.tenant_id, name="ada", applied={"name": "ada"}))
    async with database.transaction() as session:
        await agents.remove(session, first)
        second = await agents.add(session, Agent(tenant_id=agent.tenant_id, name="ada", applied={"name": "ada"}))
    async with database.transaction() as session:
        assert [found.id for found in await agents.all(session)] == [agent.id, second.id]
        assert (await agents.get(session, "ada")).id == second.id


async def test_a_changed_agent_is_saved_from_a_later_transaction(database: Database, agent: Agent) -> None:
    agent.instructions = "Be brief."
    async with database.transaction() as session:
        await agents.save(session, agent)
    async with database.transaction() as session:
        kept = await agents.get(session, "ada")
    assert kept.instructions == "Be brief."
    assert kept.updated_at > kept.created_at


@pytest.fixture
async def block(database: Database, agent: Agent) -> Block:
    async with database.transaction() as session:
        human = Block(tenant_id=agent.tenant_id, label="human", value="Name: ?")
        return await blocks.create(session, agent.id, human, author="config:a.yaml", position=1)


async def write(database: Database, block: Block, value: str, author: str = "agent:ada") -> Block:
    async with database.transaction() as session:
        newest = (await blocks.lock(session, [block.id]))[block.id]
        return await blocks.write(session, newest, value, author=author, edit={"kind": "rewrite", "text": value})


async def test_each_value_of_a_block_has_an_author_and_stays(database: Database, block: Block) -> None:
    await write(database, block, "Name: Ana")
    written = await write(database, block, "Name: Eva", "person:me")
    assert (written.value, written.revision) == ("Name: Eva", 3)
    async with database.transaction() as session:
        told = [(row.revision, row.value, row.author) for row in await blocks.history(session, block.id)]
        assert (await blocks.revision(session, block.id, 2)).value == "Name: Ana"
        with pytest.raises(UnknownRecord):
            await blocks.revision(session, block.id, 4)
    assert told == [(3, "Name: Eva", "person:me"), (2, "Name: Ana", "agent:ada"), (1, "Name: ?", "config:a.yaml")]


async def test_edits_at_once_are_all_applied(database: Database, block: Block) -> None:
    async def append(line: str) -> None:
        async with database.transaction() as session:
            newest = (await blocks.lock(session, [block.id]))[block.id]
            value = f"{newest.value}\n{line}"
            await blocks.write(session, newest, value, author="agent:ada", edit={"kind": "append", "text": line})

    await asyncio.gather(*(append(f"line {number}") for number in range(8)))
    async with database.transaction() as session:
        (newest,) = await blocks.of_agent(session, (await agents.get(session, "ada")).id)
    assert newest.revision == 9
    assert sorted(newest.value.splitlines()[1:]) == [f"line {number}" for number in range(8)]


async def test_a_write_on_an_older_version_changes_nothing(database: Database, block: Block) -> None:
    await write(database, block, "newer")
    with pytest.raises(UnknownRecord):
        async with database.transaction() as session:
            await blocks.write(session, block, "unseen", author="agent:ada", edit={"kind": "rewrite"})


async def test_changes_since_tell_what_a_conversation_has_not_heard(database: Database, agent: Agent, block: Block) -> None:
    await write(database, block, "a")
    await write(database, block, "b", "person:me")
    async with database.transaction() as session:
        ((changed, revisions),) = await blocks.changes_since(session, agent.id, {block.id: 1})
        assert await blocks.changes_since(session, agent.id, {block.id: 3}) == []
        assert len((await blocks.changes_since(session, agent.id, {}))[0][1]) == 3
    assert changed.revision == 3
    assert [(row.revision, row.author) for row in revisions] == [(2, "agent:ada"), (3, "person:me")]


async def test_a_block_serves_several_agents_until_it_is_detached(database: Database, agent: Agent, block: Block) -> None:
    async with database.transaction() as session:
        second = await agents.add(session, Agent(tenant_id=agent.tenant_id, name="bob"))
        await blocks.attach(session, second.id, block, position=0)
    await write(database, block, "shared")
    async with database.transaction() as session:
        assert [seen.value for seen in await blocks.of_agent(session, second.id)] == ["shared"]
        await blocks.detach(session, second.id, block.id)
        assert await blocks.of_agent(session, second.id) == []
        assert len(await blocks.of_agent(session, agent.id)) == 1


async def put(database: Database, agent: Agent, words: str, vector: list[float] | None = None, *tags: str) -> Passage:
    async with database.transaction() as session:
        archive = await archives.archive_of(session, agent)
        passage = Passage(tenant_id=agent.tenant_id, archive_id=archive.id, text=words, tags=list(tags), source="agent:ada")
        await passages.insert(session, passage)
        if vector:
            await embeddings.put(session, MODEL, "passage", {passage.id: vector})
    return passage


async def test_an_agent_gets_one_archive_named_after_it(database: Database, agent: Agent) -> None:
    await asyncio.gather(*(put(database, agent, f"passage {number}") for number in range(5)))
    async with database.transaction() as session:
        assert (await archives.archive_of(session, agent)).name == "ada"
        assert await passages.count(session, agent.id) == 5
        assert len(await passages.recent(session, agent.id, 3)) == 3


async def test_passages_are_found_by_meaning_and_by_words(database: Database, agent: Agent) -> None:
    boat = await put(database, agent, "A boat trip.", [1, 0, 0])
    tram = await put(database, agent, "The tram of Porto.", [0, 1, 0])
    async with database.transaction() as session:
        found = await passages.candidates(session, agent.id, query="sailing", vector=[0.8, 0.6, 0], model=MODEL)
        best = list(ranked(found, Asked("sailing", now())))
        assert [hit.id for hit in best] == [boat.id, tram.id]
        assert best[0].scores["vector"] == pytest.approx(0.8, abs=1e-3)
        (hit,) = await passages.candidates(session, agent.id, query="trams in PORTO?")
        assert hit.id == tram.id
        assert hit.scores["words"] > 0
        assert "vector" not in hit.scores


async def test_passages_are_narrowed_by_tag_and_time(database: Database, agent: Agent) -> None:
    boat = await put(database, agent, "boat", [1, 0, 0], "trip", "sea")
    tram = await put(database, agent, "tram", [0, 1, 0], "trip")
    later = now() + timedelta(minutes=1)
    async with database.transaction() as session:

        async def ids(**narrow: object) -> set[object]:
            filters = Filters(**narrow)  # pyright: ignore[reportArgumentType]
            found = await passages.candidates(session, agent.id, query="", vector=[1, 1, 0], model=MODEL, filters=filters)
            return {hit.id for hit in found}

        assert await ids(tags=("sea", "none")) == {boat.id}
        assert await ids(tags=("trip",)) == {boat.id, tram.id}
        assert await ids(tags=("none",)) == set()
        assert await ids(after=later) == set()
        assert await ids(before=later) == {boat.id, tram.id}
        assert await ids(before=tram.created_at) == {boat.id}
        assert await passages.candidates(session, agent.id, query="", vector=[1, 1, 0], model="another") == []


async def test_a_superseded_passage_is_kept_and_not_found(database: Database, agent: Agent) -> None:
    async with database.transaction() as session:
        await embedding_models.bind(session, database.tenant_id, MODEL, 3)
    old = await put(database, agent, "Lives in Porto.", [0, 1, 0])
    new = Passage(tenant_id=old.tenant_id, archive_id=old.archive_id, text="Lives in Lisbon.")
    async with database.transaction() as session:
        await passages.supersede(session, old.id, new)
        assert await passages.candidates(session, agent.id, query="porto", vector=[0, 1, 0], model=MODEL) == []
        assert [passage.id for passage in await passages.recent(session, agent.id)] == [new.id]
        assert [missing.id for missing in await embeddings.due(session, MODEL)] == [new.id]
    with pytest.raises(UnknownRecord):
        async with database.transaction() as session:
            await passages.supersede(session, old.id, Passage(tenant_id=old.tenant_id, archive_id=old.archive_id, text="?"))


async def test_another_agents_archive_is_not_searched(database: Database, agent: Agent) -> None:
    await put(database, agent, "secret boat", [1, 0, 0])
    async with database.transaction() as session:
        bob = await agents.add(session, Agent(tenant_id=agent.tenant_id, name="bob"))
        assert await passages.candidates(session, bob.id, query="boat", vector=[1, 0, 0], model=MODEL) == []


async def test_a_tenant_keeps_to_the_embedding_model_it_began_with(database: Database, agent: Agent) -> None:
    passage = await put(database, agent, "The boat is blue.", None)
    async with database.transaction() as session:
        for _ in range(2):
            await embeddings.lay(session, database.tenant_id, MODEL, "passage", {passage.id: [1, 0, 0]})
        with pytest.raises(EmbedderMismatch, match="three"):
            await embeddings.lay(session, database.tenant_id, MODEL, "passage", {passage.id: [1, 0, 0, 0]})
        await embeddings.lay(session, database.tenant_id, "no model of the tenant's", "passage", {passage.id: [1, 0]})
        assert await vector_walks.count_vectors(session) == {MODEL: 1}
