"""Large archives are searched by their indexes, and bring what looking at every row brings."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pagemind.engine.surveyor import survey
from pagemind.model.embedder import make_embedder
from pagemind.records import Agent, Filters, Passage, PassageHit, now
from pagemind.settings import Settings
from pagemind.store import agents, archives, embeddings, passages
from pagemind.store.database import Database
from pagemind.store.inserts import insert_many
from pagemind.store.passages import Within
from pagemind.store.survey import Crossover

pytestmark = pytest.mark.anyio

ROWS = 2_400
SMALL = Crossover(words=300, vectors=300)
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
WHO = ("Ada", "Bela", "Chen", "Dora", "Emil", "Fay", "Goran", "Hana", "Ivo", "Jun")
DOES = ("planted", "painted", "sold", "repaired", "borrowed", "photographed", "lost", "found", "praised", "returned")
WHAT = ("an oak", "the blue boat", "a violin", "the old tram", "a kite", "her passport", "the stove", "a telescope", "a goat")
WHERE = ("in Porto", "at the harbour", "behind the school", "on the island", "near the museum", "under the bridge", "at home")
QUERIES: tuple[str, ...] = (
    "Who painted the boat in Porto?",
    "a telescope on the island",
    "ticket 1234",
    "Was the tram repaired near the museum?",
    "lost passport",
    "musical instruments",
    "the of and",
    "it's \\ a 'quoted' | thing & !",
)
FILTERS = (
    Filters(),
    Filters(tags=("tenth",)),
    Filters(tags=("hundredth", "it's")),
    Filters(tags=("tenth", "it's"), all_tags=True),
    Filters(sources=("file:1.md",)),
    Filters(origins=("stated",)),
    Filters(after=BEGAN + timedelta(days=300)),
    Filters(before=BEGAN + timedelta(days=4)),
    Filters(least_confidence=0.95),
    Filters(tags=("nobody's",)),
    Filters(identity_ids=(UUID(int=1),)),
)


def made(tenant_id: UUID, archive_id: UUID) -> list[Passage]:
    """Passages with something for each filter; every fiftieth is expired."""
    chance = random.Random(7)
    return [
        Passage(
            tenant_id=tenant_id,
            archive_id=archive_id,
            text=f"{chance.choice(WHO)} {chance.choice(DOES)} {chance.choice(WHAT)} {chance.choice(WHERE)}, ticket {number}.",
            tags=[tag for tag, share in (("tenth", 0.1), ("hundredth", 0.01), ("it's", 0.02)) if chance.random() < share],
            source=f"file:{number % 20}.md",
            origin=chance.choice(("stated", "imported")),
            confidence=chance.choice((None, None, 0.5)),
            identity_id=UUID(int=1) if number % 40 == 0 else None,
            expires_at=now() - timedelta(days=1) if number % 50 == 0 else None,
            created_at=BEGAN + timedelta(days=chance.uniform(0, 365)),
        )
        for number in range(ROWS)
    ]


@dataclass
class Library:
    """An archive of a few thousand passages with real vectors, and the vectors of the queries."""

    database: Database
    agent: Agent
    archive_id: UUID
    model: str
    queries: dict[str, list[float]]

    async def found(self, query: str, filters: Filters, *, exact: bool, pool: int = 50) -> list[PassageHit]:
        """The candidates."""
        async with self.database.transaction() as session:
            return await passages.candidates(
                session,
                self.archive_id,
                within=Within.archive,
                query=query,
                vector=self.queries[query],
                model=self.model,
                filters=filters,
                pool=pool,
                exact=exact,
            )

    async def indexes(self) -> dict[str, bool]:
        """Those of this archive, and whether each is valid."""
        statement = """SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                        WHERE c.relname LIKE :pattern"""
        async with self.database.transaction() as session:
            rows = await session.execute(text(statement), {"pattern": f"large\\_{self.archive_id.hex}%"})
            return {row.relname: row.indisvalid for row in rows}


@pytest.fixture(scope="module")
async def library(server_home: Path) -> AsyncGenerator[Library]:
    database = await Database.open(Settings(home=server_home, tenant_id=uuid4()))
    embedder = make_embedder(Settings(home=server_home))
    async with database.transaction() as session:
        agent = await agents.add(session, Agent(tenant_id=database.tenant_id, name="ada"))
        archive = await archives.archive_of(session, agent)
    rows = made(database.tenant_id, archive.id)
    vectors = await embedder.embed([row.text for row in rows], kind="document")
    async with database.transaction() as session:
        for row in rows:
            await passages.insert(session, row)
        await embeddings.put(session, embedder.name, "passage", dict(zip([row.id for row in rows], vectors, strict=True)))
    queries = dict(zip(QUERIES, await embedder.embed(list(QUERIES), kind="query"), strict=True))
    await embedder.close()
    await survey(database, crossover=SMALL)
    yield Library(database, agent, archive.id, embedder.name, queries)
    await database.close()


def best(hits: Sequence[PassageHit], signal: str, count: int = 10) -> list[PassageHit]:
    """The best by that signal."""
    heard = [hit for hit in hits if hit.scores.get(signal, 0.0) > 0]
    return sorted(heard, key=lambda hit: -hit.scores[signal])[:count]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_the_nearest_by_meaning_are_those_of_an_exact_search(library: Library, filters: Filters) -> None:
    missed = wanted = 0
    for query in QUERIES:
        nearest = {hit.id for hit in best(await library.found(query, filters, exact=True), "vector")}
        found = {hit.id for hit in await library.found(query, filters, exact=False)}
        wanted += len(nearest)
        missed += len(nearest - found)
    assert missed <= 0.02 * wanted


@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_only_what_the_filters_let_through_comes_each_with_both_scores(library: Library, filters: Filters) -> None:
    for query in QUERIES:
        allowed = {hit.id: hit for hit in await library.found(query, filters, exact=True, pool=ROWS)}
        for hit in await library.found(query, filters, exact=False):
            assert hit.id in allowed
            assert hit.scores["vector"] == pytest.approx(allowed[hit.id].scores["vector"], abs=2e-3)
            assert (hit.scores["words"] > 0) == (allowed[hit.id].scores["words"] > 0)


async def test_a_number_is_found_whatever_the_vectors_say(library: Library) -> None:
    hits = await library.found("ticket 1234", Filters(), exact=False)
    assert "ticket 1234." in best(hits, "words", 1)[0].text


async def test_a_new_passage_is_found_at_once_by_its_words_and_by_its_vector(library: Library) -> None:
    fresh = Passage(tenant_id=library.database.tenant_id, archive_id=library.archive_id, text="The xylophone code is QX-77.")
    async with library.database.transaction() as session:
        await insert_many(session, library.database.tenant_id, library.archive_id, [fresh])
        library.queries["QX-77"] = library.queries["musical instruments"]
    assert fresh.id in {hit.id for hit in await library.found("QX-77", Filters(), exact=False)}
    async with library.database.transaction() as session:
        await embeddings.put(session, library.model, "passage", {fresh.id: library.queries["musical instruments"]})
    hits = await library.found("musical instruments", Filters(), exact=False)
    assert best(hits, "vector", 1)[0].id == fresh.id


async def test_another_tenant_finds_nothing(library: Library) -> None:
    stranger = library.database.for_tenant(uuid4())
    async with stranger.transaction() as session:
        for exact in (True, False):
            assert (
                await passages.candidates(
                    session,
                    library.archive_id,
                    within=Within.archive,
                    query="boat",
                    vector=library.queries["lost passport"],
                    model=library.model,
                    exact=exact,
                )
                == []
            )


async def scans(library: Library) -> dict[str, Any]:
    """How often each of the archive's indexes was scanned so far."""
    statement = """SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE :pattern"""
    async with library.database.transaction() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    async with library.database.transaction() as session:
        rows = await session.execute(text(statement), {"pattern": f"large\\_{library.archive_id.hex}%"})
        return {row.indexrelname: row.idx_scan for row in rows}


async def test_both_indexes_are_used_under_row_level_security(library: Library) -> None:
    async with library.database.transaction() as session:
        before = await scans(library)
        await passages.candidates(
            session,
            library.archive_id,
            within=Within.archive,
            query="a telescope",
            vector=library.queries["lost passport"],
            model=library.model,
        )
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    after = await scans(library)
    assert len(before) == 2
    assert all(after[name] > before[name] for name in before)


async def test_an_index_that_was_left_incomplete_is_made_anew(library: Library) -> None:
    connection = await library.database.as_owner()
    assert connection is not None
    [name] = [name for name in await library.indexes() if name.endswith("_0")]
    await connection.execute(f'DROP INDEX "{name}"'.encode())
    await connection.execute(
        f"CREATE INDEX \"{name}\" ON passages USING gin (words) WHERE archive_id = '{library.archive_id}'".encode()
    )
    superuser = await as_superuser(library)
    await superuser.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass".encode())
    assert (await library.indexes())[name] is False
    surveyed = await survey(library.database, crossover=SMALL)
    assert list(surveyed.made) == [name]
    assert set((await library.indexes()).values()) == {True}
    await superuser.close()
    await connection.close()


async def as_superuser(library: Library) -> Any:
    """A connection of the embedded server's superuser."""
    embedded = library.database.embedded
    assert embedded is not None
    other = library.database.for_tenant(library.database.tenant_id)
    other.owner_url = embedded.superuser_url().set(database="pagemind")
    return await other.as_owner()


async def test_the_indexes_go_when_the_archive_is_not_large_any_more(library: Library) -> None:
    surveyed = await survey(library.database, crossover=Crossover(words=10 * ROWS, vectors=10 * ROWS))
    assert surveyed.sizes == []
    assert await library.indexes() == {}
    hits = await library.found("ticket 1234", Filters(), exact=False)
    assert "ticket 1234." in best(hits, "words", 1)[0].text
    assert len((await survey(library.database, crossover=SMALL)).made) == 2
