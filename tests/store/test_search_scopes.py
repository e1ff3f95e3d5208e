"""Large and small collections are searched together; long conversations have indexes, too."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from pagemind.engine.surveyor import survey
from pagemind.records import Agent, AgentArchive, Archive, Filters, Message, Passage, Run
from pagemind.store import archives, embeddings, history, messages, passages
from pagemind.store.database import Database
from pagemind.store.inserts import insert_many
from pagemind.store.passages import Within
from pagemind.store.survey import Crossover
from pagemind.testing.vectors import WordEmbedder

pytestmark = pytest.mark.anyio

ROWS = 400
SMALL = Crossover(words=200, vectors=200)
EMBEDDER = WordEmbedder()


async def vectors(texts: Sequence[str]) -> list[list[float]]:
    """The vectors of these texts."""
    return await EMBEDDER.embed(texts, kind="document")


async def fill(database: Database, archive: Archive, texts: Sequence[str]) -> None:
    """Store passages and their vectors."""
    rows = [Passage(tenant_id=database.tenant_id, archive_id=archive.id, text=each) for each in texts]
    embedded = await vectors(texts)
    async with database.transaction() as session:
        await insert_many(session, database.tenant_id, archive.id, rows)
        await embeddings.put(session, EMBEDDER.name, "passage", dict(zip([row.id for row in rows], embedded, strict=True)))


@pytest.mark.parametrize("within", [Within.agent, Within.tenant])
async def test_an_agents_large_and_small_archives_are_searched_together(
    database: Database, agent: Agent, within: Within
) -> None:
    async with database.transaction() as session:
        large = await archives.archive_of(session, agent)
        small, foreign = (Archive(tenant_id=agent.tenant_id, name=name) for name in ("small", "foreign"))
        session.add_all((small, foreign))
        session.add(AgentArchive(tenant_id=agent.tenant_id, agent_id=agent.id, archive_id=small.id, position=1))
    await fill(database, large, [f"The kettle number {number} whistles." for number in range(ROWS)])
    await fill(database, small, ["The kettle of Porto sings."])
    await fill(database, foreign, ["The kettle of nobody is cold."])
    assert len((await survey(database, crossover=SMALL)).made) == 2
    [vector] = await vectors(["kettle Porto"])
    owner = agent.id if within is Within.agent else None
    async with database.transaction() as session:
        found = await passages.candidates(
            session, owner, within=within, query="kettle 77 Porto", vector=vector, model=EMBEDDER.name
        )
    texts = {hit.text for hit in found}
    assert {"The kettle of Porto sings.", "The kettle number 77 whistles."} <= texts
    assert ("The kettle of nobody is cold." in texts) == (within is Within.tenant)
    assert all("vector" in hit.scores for hit in found)


async def test_a_long_conversation_is_searched_by_its_indexes(database: Database, run: Run) -> None:
    said = [
        Message(
            tenant_id=run.tenant_id,
            conversation_id=run.conversation_id,
            run_id=run.id,
            seq=seq,
            role="user" if seq % 2 else "assistant",
            content=f"The train number {seq} is late again.",
        )
        for seq in range(1, ROWS + 1)
    ]
    embedded = await vectors([each.content for each in said])
    async with database.transaction() as session:
        await history.add(session, said)
        await embeddings.put(session, EMBEDDER.name, "message", dict(zip([each.id for each in said], embedded, strict=True)))
    assert len((await survey(database, crossover=SMALL)).made) == 3
    [vector] = await vectors(["train 123"])
    for filters in (Filters(), Filters(roles=("user",)), Filters(after=said[100].created_at)):
        for exact in (True, False):
            async with database.transaction() as session:
                found = await messages.candidates(
                    session,
                    run.conversation_id,
                    query="train 123",
                    vector=vector,
                    model=EMBEDDER.name,
                    filters=filters,
                    exact=exact,
                )
            best = max(found, key=lambda hit: hit.scores["words"])
            assert best.seq == 123
            assert best.scores["vector"] > 0
            if filters.roles:
                assert {hit.role for hit in found} == {"user"}


async def test_statistics_are_renewed_when_an_archive_has_grown(database: Database, agent: Agent) -> None:
    async with database.transaction() as session:
        archive = await archives.archive_of(session, agent)
    await fill(database, archive, [f"alpha {number}" for number in range(ROWS)])
    await survey(database, crossover=SMALL)
    await fill(database, archive, [f"beta {number}" for number in range(10)])
    assert await known(database) == (ROWS, 1.0, None)
    await survey(database, crossover=SMALL)
    assert (await known(database))[0] == ROWS
    await fill(database, archive, [f"beta {number}" for number in range(ROWS)])
    await survey(database, crossover=SMALL)
    rows, alpha, beta = await known(database)
    assert rows == 2 * ROWS + 10
    assert alpha == pytest.approx(0.494, abs=0.001)
    assert beta == pytest.approx(0.506, abs=0.001)


async def known(database: Database) -> tuple[int, float | None, float | None]:
    """Of the only large archive the rows, and the shares of "alpha" and "beta"."""
    statement = "SELECT rows, (shares->'words'->>'alpha')::float8, (shares->'words'->>'beta')::float8 FROM search_collections"
    async with database.transaction() as session:
        [row] = await session.execute(text(statement))
        return row[0], row[1], row[2]
