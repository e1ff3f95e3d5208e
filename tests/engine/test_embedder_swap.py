"""Another embedding model is laid beside the one that serves, and takes over while everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from pagemind.engine import swap
from pagemind.engine.swap import Standing
from pagemind.errors import (
    BadEmbedderURL,
    EmbedderBehind,
    EmbedderError,
    EmbedderServes,
    EmbedderUnclear,
    EmbedderWidth,
    UnknownEmbedder,
)
from pagemind.model import weights
from pagemind.model.embedder import Kind
from pagemind.settings import Settings
from pagemind.store import embeddings, vector_walks
from pagemind.store.database import Database
from pagemind.testing import Bench, bench
from pagemind.testing.tiny_encoder import DIMENSIONS, build_encoder
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

MOST_SECONDS = 90.0
FACTS = [
    "My dentist is called Dr. Quill.",
    "The boat lies in the harbour of Porto.",
    "Green tea is brewed at seventy degrees.",
    "The red notebook is on the second shelf.",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A second real embedder, of other dimensions."""
    return str(build_encoder(tmp_path_factory.mktemp("encoder")).resolve())


@pytest.fixture
async def home(settings: Settings) -> AsyncGenerator[Bench]:
    """A runtime that serves with the wheel's model, on a store with facts."""
    # On a busy machine an embedder may load, and answer, more slowly than a search waits by default.
    async with bench(settings.model_copy(update={"embed_seconds": 60.0})) as chat:
        for fact in FACTS:
            await chat.memory.insert(chat.agent, fact)
        await chat.runtime.kernel.embedder.ready()
        await chat.runtime.indexed()
        yield chat


def database(chat: Bench) -> Database:
    return chat.runtime.kernel.database


def ignore(*counts: int) -> None:
    """Hear of progress and do nothing."""


async def add(chat: Bench, name: str) -> swap.Added:
    return await swap.add(database(chat), chat.runtime.settings, name, url=None, told=ignore)


async def standings(chat: Bench) -> dict[str, Standing]:
    return {each.model: each for each in await swap.standings(database(chat))}


async def lacking(chat: Bench, model: str) -> int:
    async with database(chat).transaction() as session:
        return await vector_walks.count_lacking(session, model)


async def best(chat: Bench, query: str) -> tuple[str, float]:
    """The best passage and its cosine, which only a vector can have."""
    [first, *_] = await chat.memory.search_archive(chat.agent, query)
    return first.text, first.scores["vector"]


async def serves(chat: Bench, model: str) -> None:
    """Wait until the runtime has followed."""
    async with asyncio.timeout(MOST_SECONDS):
        while chat.runtime.kernel.embedder.name != model:  # noqa: ASYNC110 - what is waited for is the runtime's own look
            await asyncio.sleep(0.05)


async def test_a_running_runtime_follows_a_switch_and_searches_by_meaning_all_the_time(home: Bench, tiny: str) -> None:
    kernel = home.runtime.kernel
    first = await best(home, "Who looks after my teeth?")
    assert first[0] == FACTS[0]
    assert await add(home, tiny) == swap.Added(tiny, len(FACTS), 0)
    assert (await best(home, "Who looks after my teeth?")) == first
    assert kernel.embedder.name == weights.NAME
    models = await standings(home)
    assert (models[weights.NAME].state, models[tiny].state) == ("serving", "ready")
    assert (models[tiny].dimensions, models[tiny].vectors, models[tiny].bytes) == (DIMENSIONS, 4, 4 * (2 * DIMENSIONS + 8))

    assert await swap.switch(database(home), home.runtime.settings, None) == (weights.NAME, tiny)
    asked = asyncio.create_task(serves(home, tiny))
    while not asked.done():
        assert (await best(home, FACTS[1]))[0] == FACTS[1]
    await asked
    assert kernel.stored_dimensions == DIMENSIONS
    await home.memory.insert(home.agent, "The cat is called Mia.")
    found, cosine = await best(home, "The cat is called Mia.")
    assert found == "The cat is called Mia."
    assert cosine == pytest.approx(1.0, abs=0.01)
    models = await standings(home)
    assert (models[tiny].state, models[weights.NAME].state) == ("serving", "retired")
    assert (models[tiny].vectors, models[weights.NAME].vectors) == (5, 4)


async def test_a_switch_can_be_taken_back_once_the_old_model_has_caught_up(home: Bench, tiny: str) -> None:
    settings = home.runtime.settings
    await add(home, tiny)
    await swap.switch(database(home), settings, tiny)
    assert await swap.switch(database(home), settings, weights.NAME) == (tiny, weights.NAME)
    await swap.switch(database(home), settings, tiny)
    await home.memory.insert(home.agent, "The cat is called Mia.")
    with pytest.raises(EmbedderBehind, match="1 texts"):
        await swap.switch(database(home), settings, weights.NAME)
    assert (await add(home, weights.NAME)).embedded == 1
    assert await swap.switch(database(home), settings, weights.NAME) == (tiny, weights.NAME)


async def test_a_start_takes_the_stores_model_and_tells_of_another_that_is_configured(
    home: Bench, tiny: str, settings: Settings
) -> None:
    await add(home, tiny)
    await swap.switch(database(home), settings, tiny)
    told: list[str] = []
    for asked, count in ((settings, 0), (configured(settings), 1)):
        told.clear()
        async with await home.runtime.open(asked, reasoner=home.model, tell=told.append) as opened:
            assert opened.kernel.embedder.name == tiny
        assert len(told) == count
    assert "pagemind embedder add other/model" in told[0]


def configured(settings: Settings) -> Settings:
    return Settings(home=settings.home, tenant_id=settings.tenant_id, reasoner_url="demo", embedder="other/model")


async def test_what_is_stored_while_a_model_is_added_gets_both_vectors(home: Bench, tiny: str) -> None:
    await swap.add(database(home), home.runtime.settings, tiny, url=None, told=ignore, background=True)
    await asyncio.gather(*(home.memory.insert(home.agent, f"Fact number {n}.") for n in range(20)))
    await home.runtime.indexed()
    assert (await lacking(home, weights.NAME), await lacking(home, tiny)) == (0, 0)
    assert (await standings(home))[tiny].vectors == 24


async def test_a_text_whose_transaction_began_before_the_model_came_is_not_forgotten(home: Bench, tiny: str) -> None:
    slow = database(home)
    async with slow.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO passages (tenant_id, id, archive_id, text, tags, source, evidence, extra, created_at) "
                "SELECT tenant_id, gen_random_uuid(), archive_id, 'Stored slowly.', '{}', '', '{}', '{}', now() "
                "FROM passages LIMIT 1"
            )
        )
        adding = asyncio.create_task(add(home, tiny))
        await asyncio.sleep(1.5)
        assert not adding.done()
    assert (await adding).embedded == len(FACTS) + 1
    assert await lacking(home, tiny) == 0


async def test_a_model_that_lacks_vectors_does_not_serve(home: Bench, tiny: str) -> None:
    chat, settings = home, home.runtime.settings
    with pytest.raises(EmbedderUnclear, match="no embedding models"):
        await swap.switch(database(chat), settings, None)
    with pytest.raises(UnknownEmbedder, match="nowhere"):
        await swap.switch(database(chat), settings, "nowhere")
    with pytest.raises(EmbedderServes):
        await swap.switch(database(chat), settings, weights.NAME)
    with pytest.raises(EmbedderServes):
        await add(chat, weights.NAME)
    with pytest.raises(BadEmbedderURL):
        await swap.add(database(chat), settings, "openai:x", url="http://user:secret@host/v1", told=ignore)
    await add(chat, tiny)
    async with database(chat).transaction() as session:
        await session.execute(text("DELETE FROM passage_embeddings WHERE model = :model"), {"model": tiny})
        await session.execute(text("UPDATE embedding_models SET queued = false WHERE model = :model"), {"model": tiny})
    with pytest.raises(EmbedderBehind, match="4 texts"):
        await swap.switch(database(chat), settings, tiny)
    build_encoder(Path(tiny), dimensions=48)
    try:
        with pytest.raises(EmbedderWidth, match="48"):
            await add(chat, tiny)
    finally:
        build_encoder(Path(tiny))


async def test_removing_a_model_deletes_its_vectors_and_no_others(home: Bench, tiny: str) -> None:
    await add(home, tiny)
    with pytest.raises(EmbedderServes):
        await swap.remove(database(home), weights.NAME, ignore)
    assert await swap.remove(database(home), tiny, ignore) == len(FACTS)
    assert [*await standings(home)] == [weights.NAME]
    async with database(home).transaction() as session:
        assert await vector_walks.count_vectors(session) == {weights.NAME: len(FACTS)}
        assert await embeddings.due(session, tiny) == []
    with pytest.raises(UnknownEmbedder):
        await swap.remove(database(home), tiny, ignore)


class Picky(HashEmbedder):
    """Refuses whole batches for one word in them."""

    calls = 0

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        self.calls += 1
        if any("forbidden" in each for each in texts):
            raise EmbedderError("it does not like it")
        return await super().embed(texts, kind=kind)


class Down(HashEmbedder):
    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        raise EmbedderError("nobody is there")


async def test_a_text_that_the_embedder_refuses_holds_up_no_other(settings: Settings) -> None:
    picky = Picky()
    async with bench(settings, embedder=picky, work=False) as chat:
        await chat.memory.insert(chat.agent, "This is forbidden.")
        for n in range(40):
            await chat.memory.insert(chat.agent, f"Fact number {n}.")
        await chat.runtime.indexed()
        assert await lacking(chat, picky.name) == 1
        [standing] = await swap.standings(database(chat))
        assert (standing.lacking, standing.refused, standing.vectors) == (1, 1, 40)
        assert picky.calls < 30
        picky.calls = 0
        await chat.runtime.indexed()
        assert picky.calls == 0  # it is not due


async def test_an_embedder_that_is_down_blames_no_text(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        await chat.memory.insert(chat.agent, "First.")
        await chat.runtime.indexed()
    async with bench(settings, embedder=Down(), work=False) as chat:
        await chat.memory.insert(chat.agent, "Second.")
        with pytest.raises(EmbedderError, match="nobody"):
            await chat.runtime.indexed()
        async with database(chat).transaction() as session:
            assert await embeddings.refused(session, "hash-8") == 0
            assert len(await embeddings.due(session, "hash-8")) == 1
