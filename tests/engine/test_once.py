"""The same memory is stored once: by a run, by hand, by several at the same time."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from pagemind.engine import archival
from pagemind.engine.archival import Draft
from pagemind.errors import UnknownAgent
from pagemind.records import Archive, Origin, Passage
from pagemind.settings import Settings
from pagemind.store import archives, passages
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio
TEA = "Maria likes green tea."


async def stored(chat: Bench) -> list[Passage]:
    """The passages in force, the oldest first."""
    async with chat.runtime.kernel.database.transaction() as session:
        return (await passages.recent(session, chat.agent.id))[::-1]


async def tool_said(chat: Bench) -> list[str]:
    return [m.content for m in await chat.runtime.history(chat.conversation.id) if m.role == "tool"]


async def test_an_agent_that_stores_the_same_again_is_told_when_it_was_stored(chat: Bench) -> None:
    chat.model.will(call("archival_memory_insert", content=TEA, tags=["drinks"]), "Noted.")
    await chat.ask("Maria likes green tea.")
    chat.model.will(call("archival_memory_insert", content="maria likes  green tea", tags=["maria"]), "I knew.")
    await chat.ask("Remember it.")
    [passage] = await stored(chat)
    assert (passage.text, passage.tags) == (TEA, ["drinks", "maria"])
    assert await tool_said(chat) == [
        "Archived with the tags drinks.",
        f"Already stored on {passage.created_at:%Y-%m-%d}: {TEA}",
    ]


async def test_one_reply_that_stores_the_same_twice_stores_it_once(chat: Bench) -> None:
    chat.model.will(
        [
            call("archival_memory_insert", call_id="a", content=TEA, tags=["drinks"]),
            call("archival_memory_insert", call_id="b", content=TEA.upper(), tags=["maria"]),
        ],
        "Noted.",
    )
    await chat.ask("Maria likes green tea.")
    [passage] = await stored(chat)
    assert passage.text == TEA
    assert passage.tags == ["drinks", "maria"]
    assert [said[:14] for said in await tool_said(chat)] == ["Archived with ", "Already stored"]


async def test_what_differs_in_a_number_is_stored_beside(chat: Bench) -> None:
    await chat.memory.insert(chat.agent, "The meeting is in room 12.")
    await chat.memory.insert(chat.agent, "The meeting is in room 21.")
    await chat.memory.insert(chat.agent, "The meeting is not in room 12.")
    assert len(await stored(chat)) == 3


async def test_two_agents_that_store_the_same_in_a_shared_archive_at_once_store_it_once(chat: Bench) -> None:
    runtime = chat.runtime
    await chat.memory.insert(chat.agent, "It makes the archive.")
    conversations = [chat.conversation, await runtime.new_conversation(chat.agent), await runtime.new_conversation(chat.agent)]
    for fact in range(4):
        chat.model.will(*[call("archival_memory_insert", content=f"Fact {fact} is known.")] * 3, *["Noted."] * 3)
        await asyncio.gather(*(runtime.ask(each.id, "Store it.") for each in conversations))
    assert sorted(p.text for p in await stored(chat))[:-1] == [f"Fact {fact} is known." for fact in range(4)]


async def test_many_who_store_the_same_by_hand_at_once_get_one_passage(chat: Bench, settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as other:
        kept = await asyncio.gather(
            *(each.memory.keep(chat.agent, Draft(TEA, [f"tag {n}"]), "person") for n in range(8) for each in (chat, other))
        )
    [passage] = await stored(chat)
    assert {each.passage.id for each in kept} == {passage.id}
    assert sum(each.is_new for each in kept) == 1
    assert sorted(passage.tags) == [f"tag {n}" for n in range(8)]


async def test_a_batch_answers_with_what_stands_and_keeps_its_order(chat: Bench) -> None:
    database = chat.runtime.kernel.database
    first = await chat.memory.insert(chat.agent, TEA)
    drafts = [Draft("One."), Draft(TEA.lower(), ["again"]), Draft("Two."), Draft("one", ["twice"])]
    kept = await archival.insert_all(chat.runtime.kernel, first.archive_id, drafts, "person")
    assert [(each.passage.text, each.is_new) for each in kept] == [
        ("One.", True),
        (TEA, False),
        ("Two.", True),
        ("One.", False),
    ]
    assert {p.text: p.tags for p in await stored(chat)} == {TEA: ["again"], "One.": ["twice"], "Two.": []}
    async with database.transaction() as session:
        other = Archive(tenant_id=chat.agent.tenant_id, name="other")
        await archives.add(session, other)
    [elsewhere] = await archival.insert_all(chat.runtime.kernel, other.id, [Draft(TEA)], "person")
    assert elsewhere.is_new  # in another archive it is another memory


async def test_what_was_imported_is_known_by_its_text(chat: Bench) -> None:
    first = await chat.memory.insert(chat.agent, "It makes the archive.")
    async with chat.runtime.kernel.database.transaction() as session:
        imported = Passage(
            tenant_id=first.tenant_id, archive_id=first.archive_id, text="Line  one\nof a file.", origin=Origin.imported
        )
        await passages.insert(session, imported)
    kept = await chat.memory.keep(chat.agent, Draft("line one of a file."), "person")
    assert (kept.passage.id, kept.is_new) == (imported.id, False)
    assert kept.passage.origin == Origin.stated  # now a person says so


async def test_what_has_expired_or_was_forgotten_may_be_stored_again(chat: Bench) -> None:
    ago = datetime.now(UTC) - timedelta(days=1)
    old = await chat.memory.keep(chat.agent, Draft(TEA, expires_at=ago), "person")
    new = await chat.memory.keep(chat.agent, Draft(TEA), "person")
    assert new.is_new
    assert new.passage.id != old.passage.id
    assert [p.id for p in await stored(chat)] == [new.passage.id]
    await chat.memory.forget(chat.agent, str(new.passage.id)[:8])
    assert await stored(chat) == []
    chat.model.will(call("archival_memory_insert", content=TEA), "Noted.")
    await chat.ask("Store it.")
    assert len(await stored(chat)) == 1


async def test_a_passage_of_nobody_is_refused(chat: Bench) -> None:
    with pytest.raises(UnknownAgent):
        await archival.insert(chat.runtime.kernel, uuid4(), Draft(TEA), "person")


async def test_the_looks_for_a_double_go_by_an_index(chat: Bench) -> None:
    first = await chat.memory.insert(chat.agent, TEA)
    query = text("EXPLAIN SELECT id FROM passages WHERE archive_id = :a AND gist = :g AND superseded_at IS NULL")
    async with chat.runtime.kernel.database.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await session.execute(query, {"a": first.archive_id, "g": first.gist})).scalars().all()
    assert any("passages_gist" in line for line in plan)
