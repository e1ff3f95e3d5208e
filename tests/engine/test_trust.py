"""How far a passage is trusted and how long it is good: who stores it says so, the agent's file, or the call."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from pagemind.engine.archival import Draft
from pagemind.errors import UnknownRecord
from pagemind.events import ToolReturned
from pagemind.records import Filters, Input, Origin, Passage, PassageHit, Policy
from pagemind.settings import Settings
from pagemind.store import identities, passages
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import WordEmbedder

pytestmark = pytest.mark.anyio
TEA = "Maria likes green tea."


async def stored(chat: Bench) -> list[Passage]:
    """The passages in force, the oldest first."""
    async with chat.runtime.kernel.database.transaction() as session:
        return (await passages.recent(session, chat.agent.id))[::-1]


async def row_of(chat: Bench, passage: Passage) -> Passage:
    async with chat.runtime.kernel.database.transaction() as session:
        return (await passages.by_ids(session, [passage.id]))[passage.id]


async def texts(chat: Bench, query: str, filters: Filters | None = None, policy: Policy | None = None) -> list[str]:
    return [hit.text for hit in await chat.memory.search_archive(chat.agent, query, filters=filters, policy=policy)]


async def test_what_the_agent_writes_is_inferred_and_what_a_person_stores_is_stated(chat: Bench) -> None:
    chat.model.will(call("archival_memory_insert", content=TEA), "Noted.")
    await chat.ask("Maria likes tea.")
    await chat.memory.insert(chat.agent, "Porto is lovely.")
    assert [(p.origin, p.confidence, p.review_by, p.expires_at) for p in await stored(chat)] == [
        (Origin.inferred, None, None, None),
        (Origin.stated, None, None, None),
    ]


async def test_what_a_person_says_again_is_stated_from_then_on(chat: Bench) -> None:
    chat.model.will(call("archival_memory_insert", content=TEA), "Noted.")
    await chat.ask("Maria likes tea.")
    await chat.memory.insert(chat.agent, TEA, tags=["sure"])
    assert [(p.origin, p.tags) for p in await stored(chat)] == [(Origin.stated, ["sure"])]


async def test_what_is_stored_in_a_talk_with_an_identity_is_about_it(chat: Bench) -> None:
    runtime = chat.runtime
    async with runtime.kernel.database.transaction() as session:
        maria = await identities.known_as(session, chat.agent.tenant_id, "maria")
    chat.model.will(call("archival_memory_insert", content="Likes green tea."), "Noted.")
    run = await runtime.accept(chat.conversation.id, [Input("I like tea.", sender=f"identity-{maria.id}")])
    async for _ in runtime.follow(run.id):
        pass
    chat.model.will(call("archival_memory_insert", content="Somebody likes cocoa."), "Noted.")
    await chat.ask("I like cocoa.")
    assert [p.identity_id for p in await stored(chat)] == [maria.id, None]
    assert await texts(chat, "likes", Filters(identity_ids=(maria.id,))) == ["Likes green tea."]


async def test_the_agents_file_says_how_long_new_passages_are_good(settings: Settings) -> None:
    search = {"expires_after_days": {"inferred": 30}, "review_after_days": {"stated": 7, "inferred": 3}}
    async with bench(settings, embedder=WordEmbedder(), memory={"search": search}) as chat:
        chat.model.will(call("archival_memory_insert", content=TEA), "Noted.")
        await chat.ask("Maria likes tea.")
        await chat.memory.insert(chat.agent, "Porto is lovely.")
        given = datetime.now(UTC) + timedelta(days=1)
        await chat.memory.keep(chat.agent, Draft("Until tomorrow.", expires_at=given, review_by=given), "person")
        inferred, stated, own = await stored(chat)
    day = timedelta(days=1)
    assert inferred.expires_at is not None
    assert inferred.review_by is not None
    assert stated.review_by is not None
    assert abs(inferred.expires_at - inferred.created_at - 30 * day) < timedelta(minutes=1)
    assert abs(inferred.review_by - inferred.created_at - 3 * day) < timedelta(minutes=1)
    assert stated.expires_at is None
    assert abs(stated.review_by - stated.created_at - 7 * day) < timedelta(minutes=1)
    assert (own.expires_at, own.review_by) == (given, given)


async def test_what_has_expired_is_in_no_search_and_no_list(chat: Bench) -> None:
    ago, soon = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(days=1)
    gone = (await chat.memory.keep(chat.agent, Draft("The tea was hot.", expires_at=ago), "person")).passage
    await chat.memory.keep(chat.agent, Draft("The tea is warm.", expires_at=soon), "person")
    assert await texts(chat, "tea") == ["The tea is warm."]
    assert [p.text for p in await stored(chat)] == ["The tea is warm."]
    async with chat.runtime.kernel.database.transaction() as session:
        assert await passages.count(session, chat.agent.id) == 1
    assert (await row_of(chat, gone)).text == "The tea was hot."  # its row stays


async def test_a_person_confirms_a_passage_by_the_beginning_of_its_id(chat: Bench) -> None:
    chat.model.will(call("archival_memory_insert", content=TEA), "Noted.")
    await chat.ask("Maria likes tea.")
    [passage] = await stored(chat)
    until = datetime.now(UTC) + timedelta(days=90)
    await chat.memory.confirm(chat.agent, str(passage.id)[:10], review_by=until, confidence=0.7)
    after = await row_of(chat, passage)
    assert (after.origin, after.review_by, after.confidence, after.text) == (Origin.stated, until, 0.7, TEA)


async def test_what_is_forgotten_is_found_no_more_and_cannot_be_forgotten_twice(chat: Bench) -> None:
    passage = await chat.memory.insert(chat.agent, TEA)
    gone = await chat.memory.forget(chat.agent, str(passage.id))
    assert gone.superseded_at is not None
    assert await texts(chat, "tea") == []
    for act in (chat.memory.forget, chat.memory.confirm):
        with pytest.raises(UnknownRecord):
            await act(chat.agent, str(passage.id))


async def test_a_beginning_that_two_ids_have_names_neither(chat: Bench) -> None:
    for n in range(40):
        await chat.memory.insert(chat.agent, f"Fact {n}.")
    ids = sorted(str(p.id) for p in (await stored(chat)))
    twice = next(a[:1] for a, b in pairwise(ids) if a[:1] == b[:1])
    with pytest.raises(UnknownRecord, match="single passage"):
        await chat.memory.forget(chat.agent, twice)


async def test_what_was_found_stays_young_where_the_file_asks_for_it(settings: Settings) -> None:
    async with bench(settings, embedder=WordEmbedder(), memory={"search": {"refresh_on_access": True}}) as chat:
        found, other = [await chat.memory.insert(chat.agent, said) for said in (TEA, "Porto is lovely.")]
        await chat.memory.search_archive(chat.agent, "tea", limit=1)
        await chat.runtime.kernel.accesses.flush(chat.runtime.kernel.database)
        first = (await row_of(chat, found)).refreshed_at
        assert first is not None
        assert (await row_of(chat, other)).refreshed_at is None
        await chat.memory.search_archive(chat.agent, "tea", limit=1)
        await chat.runtime.kernel.accesses.flush(chat.runtime.kernel.database)
        assert (await row_of(chat, found)).refreshed_at == first  # noted once a minute


async def test_what_was_found_is_noted_behind_the_search_by_itself(settings: Settings) -> None:
    async with bench(settings, embedder=WordEmbedder(), memory={"search": {"refresh_on_access": True}}) as chat:
        passage = await chat.memory.insert(chat.agent, TEA)
        await chat.memory.search_archive(chat.agent, "tea")
        assert (await row_of(chat, passage)).refreshed_at is None
        for _ in range(400):
            if (await row_of(chat, passage)).refreshed_at is not None:
                break
            await asyncio.sleep(0.05)
        assert (await row_of(chat, passage)).refreshed_at is not None


async def test_nothing_is_noted_unless_asked_for(chat: Bench) -> None:
    passage = await chat.memory.insert(chat.agent, TEA)
    await chat.memory.search_archive(chat.agent, "tea")
    await chat.runtime.kernel.accesses.flush(chat.runtime.kernel.database)
    assert (await row_of(chat, passage)).refreshed_at is None


async def test_the_event_of_a_search_says_why_each_hit_was_found_and_what_came_near(settings: Settings) -> None:
    async with bench(settings, embedder=WordEmbedder(), memory={"search": {"weigh_confidence": True}}) as chat:
        for said in ("Green tea is kept in the tin.", "Black tea is kept in the jar.", "The jar is blue."):
            await chat.memory.insert(chat.agent, said, tags=["kitchen"])
        chat.model.will(call("archival_memory_search", query="where is the green tea", top_k=1), "In the tin.")
        await chat.ask("Where is the green tea?")
        [search] = await chat.runtime.last_searches(chat.conversation.id)
    assert isinstance(search, ToolReturned)
    [hit] = search.recalled
    assert hit["text"] == "Green tea is kept in the tin."
    assert (hit["scores"]["words_rank"], hit["scores"]["vector_rank"]) == (1, 1)
    assert hit["boosts"]["confidence"] == 1.0
    assert (hit["kind"], hit["origin"], hit["tags"], hit["source"]) == ("passage", "stated", ["kitchen"], "person")
    assert search.missed[0]["missed"] == "place 2, and 1 were asked for"
    assert search.notes[-1].endswith(" ms")


async def test_a_run_that_searched_nothing_has_nothing_to_explain(chat: Bench) -> None:
    chat.model.will("Hello.")
    await chat.ask("Hello!")
    assert await chat.runtime.last_searches(chat.conversation.id) == []


async def test_the_words_of_a_passage_stand_for_good(chat: Bench) -> None:
    passage = await chat.memory.insert(chat.agent, TEA)
    with pytest.raises(Exception, match="permission denied"):
        async with chat.runtime.kernel.database.transaction() as session:
            await session.execute(text("UPDATE passages SET text = 'x' WHERE id = :id"), {"id": passage.id})
    hits: list[PassageHit] = list(await chat.memory.search_archive(chat.agent, "tea"))
    assert [hit.text for hit in hits] == [TEA]
