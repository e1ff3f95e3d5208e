"""Before another embedding model serves one sees what it would find: checked against a computation by hand."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from uuid import UUID

import pytest

from pagemind.engine import swap
from pagemind.engine.comparison import Comparison, compare
from pagemind.engine.embedders import at_model
from pagemind.errors import EmbedderUnclear, NoQueries
from pagemind.memory.overlap import overlap
from pagemind.model import weights
from pagemind.model.embedder import make_embedder
from pagemind.settings import Settings
from pagemind.testing import Bench, bench, call
from pagemind.testing.tiny_encoder import build_encoder

pytestmark = pytest.mark.anyio

THINGS = ("boat", "dentist", "garden", "notebook", "tea", "violin")
FACTS = [
    f"The {thing} {what}."
    for thing in THINGS
    for what in (
        "is old and was repaired in May",
        "belongs to my sister Ada",
        "stands near the window in Porto",
        "was expensive",
    )
]
QUERIES = ["Who owns the boat?", "What did Ada give away?", "Which of my things cost a lot of money?"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_encoder(tmp_path_factory.mktemp("encoder")).resolve())


def ignore(*counts: int) -> None:
    """Hear of progress and do nothing."""


async def filled(chat: Bench, tiny: str) -> list[UUID]:
    passages = [await chat.memory.insert(chat.agent, fact) for fact in FACTS]
    await chat.runtime.kernel.embedder.ready()
    await chat.runtime.indexed()
    await swap.add(chat.runtime.kernel.database, chat.runtime.settings, tiny, url=None, told=ignore)
    return [passage.id for passage in passages]


async def by_hand(model: str, ids: Sequence[UUID], query: str) -> list[UUID]:
    """The ranking by all cosines of that model, computed plainly."""
    embedder = make_embedder(at_model(Settings(), model, None))
    texts = await embedder.embed(FACTS, kind="document")
    [asked] = await embedder.embed([query], kind="query")
    await embedder.close()
    cosines = {key: sum(a * b for a, b in zip(asked, text, strict=True)) for key, text in zip(ids, texts, strict=True)}
    return sorted(ids, key=lambda key: -cosines[key])


async def compared(chat: Bench, *given: str) -> Comparison:
    return await compare(chat.runtime.kernel, None, given, 100, ignore)


async def test_the_overlap_is_that_of_a_plain_computation(settings: Settings, tiny: str) -> None:
    async with bench(settings, work=False) as chat:
        ids = await filled(chat, tiny)
        found = await compared(chat, *QUERIES, QUERIES[0], " ")
        assert (found.source, found.serving, found.model, found.lacking) == ("file", weights.NAME, tiny, 0)
        expected = {
            query: overlap(await by_hand(weights.NAME, ids, query), await by_hand(tiny, ids, query)) for query in QUERIES
        }
        # Half precision in the store may exchange the tenth and the eleventh.
        assert {each.query: each.by_meaning for each in found.queries} == pytest.approx(expected, abs=0.11)
        shares = [each.by_meaning for each in found.queries]
        assert shares == sorted(shares)
        assert found.by_meaning.value == pytest.approx(statistics.mean(shares))
        assert found.by_meaning.low <= found.by_meaning.value <= found.by_meaning.high
        assert all(each.choice for each in found.queries)
        assert found.fused.value >= found.by_meaning.value  # words are the same under both
        first = (await by_hand(weights.NAME, ids, QUERIES[0]))[0]
        assert next(each.before for each in found.queries if each.query == QUERIES[0]) == FACTS[ids.index(first)]


async def test_what_agents_searched_for_is_compared_each_once_and_the_newest(settings: Settings, tiny: str) -> None:
    async with bench(settings) as chat:
        await filled(chat, tiny)
        chat.model.will(
            call("archival_memory_search", query="the violin"),
            call("conversation_search", query="what was said about tea"),
            call("archival_memory_search", query="the violin"),
            call("conversation_search", query="#1"),
            "Done.",
        )
        await chat.ask("Search, please.")
        await chat.runtime.indexed()
        found = await compared(chat)
        assert found.source == "searches"
        assert {(each.query, each.place) for each in found.queries} == {
            ("the violin", "agent"),
            ("what was said about tea", "conversation"),
        }
        assert [each.choice for each in found.queries if each.place == "conversation"] == [False]
        assert len((await compare(chat.runtime.kernel, tiny, (), 1, ignore)).queries) == 1


async def test_without_searches_first_sentences_stand_in_and_without_passages_there_is_one_clear_error(
    settings: Settings, tiny: str
) -> None:
    async with bench(settings, work=False) as chat:
        with pytest.raises(EmbedderUnclear):
            await compared(chat)
        chat_passages = [await chat.memory.insert(chat.agent, f"{fact} And more.") for fact in FACTS[:12]]
        await chat.runtime.indexed()
        await swap.add(chat.runtime.kernel.database, chat.runtime.settings, tiny, url=None, told=ignore)
        found = await compared(chat)
        assert found.source == "passages"
        assert {each.query for each in found.queries} == set(FACTS[: len(chat_passages)])


async def test_nothing_to_compare_by_is_said(settings: Settings, tiny: str) -> None:
    async with bench(settings) as chat:
        chat.model.will("Good.")
        await chat.ask("My dentist is called Dr. Quill.")
        await chat.runtime.indexed()
        await swap.add(chat.runtime.kernel.database, chat.runtime.settings, tiny, url=None, told=ignore)
        with pytest.raises(NoQueries):
            await compared(chat)
