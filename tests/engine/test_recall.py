"""Whole searches of a conversation: real store, real embeddings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from pagemind.engine.recall import Search, recall_messages
from pagemind.memory.ranking import Ingredients
from pagemind.records import Message, MessageHit, Role, now
from pagemind.settings import Settings
from pagemind.store import history
from pagemind.testing import Bench, bench

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chat(settings: Settings) -> AsyncIterator[Bench]:
    """A bench with the embedder that people have."""
    async with bench(settings) as opened:
        yield opened


TALK = (
    "Ana: Where did you spend the summer as a child?",
    "Ben: Mostly at the lake with my grandmother.",
    "Ana: That sounds lovely.",
    "Ben: I fixed the bicycle today.",
    "Ana: I fixed the roof with my brother.",
    "Ben: The shop sells paint and tools.",
)


async def said(chat: Bench, texts: Sequence[str], times: Sequence[datetime]) -> None:
    """Store the texts as what users said at those times."""
    here = chat.conversation
    messages = [
        Message(tenant_id=here.tenant_id, conversation_id=here.id, seq=seq, role=Role.user, content=text, created_at=when)
        for seq, (text, when) in enumerate(zip(texts, times, strict=True), start=1)
    ]
    async with chat.runtime.kernel.database.transaction() as session:
        await history.add(session, messages)
    await chat.runtime.indexed()


async def found(chat: Bench, query: str, **left_out: bool) -> Sequence[MessageHit]:
    search = Search(query, limit=3, ingredients=Ingredients(**left_out))
    return await recall_messages(chat.runtime.kernel, chat.conversation.id, search)


async def test_an_answer_is_found_by_the_question_before_it(chat: Bench) -> None:
    await said(chat, TALK, [now()] * len(TALK))
    query = "childhood summer"
    assert 2 in [hit.seq for hit in (await found(chat, query))[:2]]
    [answer] = [hit for hit in await found(chat, query) if hit.seq == 2]
    assert answer.scores["neighbours"] > 0
    alone = [hit for hit in await found(chat, query, neighbours=False) if hit.seq == 2]
    assert not alone or "neighbours" not in alone[0].scores


async def test_whom_the_query_names_is_found_first(chat: Bench) -> None:
    await said(chat, TALK, [now()] * len(TALK))
    assert (await found(chat, "What did Ana fix?", neighbours=False))[0].seq == 5
    assert (await found(chat, "What did Ben fix?", neighbours=False))[0].seq == 4


async def test_what_was_said_yesterday_is_found_without_a_word_of_it(chat: Bench) -> None:
    texts = [f"Note {number} on the garden and the weather." for number in range(70)] + ["We bought a boat.", *TALK[:1]]
    old = now() - timedelta(days=40)
    times = [old] * 70 + [now() - timedelta(days=1), now()]
    await said(chat, texts, times)
    hits = await recall_messages(chat.runtime.kernel, chat.conversation.id, Search("What happened yesterday?", limit=3))
    assert hits[0].content == "We bought a boat."
    assert hits[0].scores["dates"] == pytest.approx(1.5)
    [note] = hits.notes
    assert note.startswith("yesterday: ")


async def test_sittings_are_counted_back(chat: Bench) -> None:
    hours = [72, 72, 48, 48, 24, 24]
    texts = ["We chose red.", "Red it is.", "We chose green.", "Green it is.", "We chose blue.", "Blue it is."]
    await said(chat, texts, [now() - timedelta(hours=each) for each in hours])
    for query, colour in (("what colour did we choose two sessions ago", "green"), ("what colour in our last session", "blue")):
        hits = await recall_messages(chat.runtime.kernel, chat.conversation.id, Search(query, limit=2))
        assert colour in hits[0].content.lower()
        assert len(hits.notes) == 1


async def test_near_misses_say_why(chat: Bench) -> None:
    await said(chat, [*TALK, TALK[3]], [now()] * (len(TALK) + 1))
    hits = await recall_messages(chat.runtime.kernel, chat.conversation.id, Search("the bicycle", limit=1))
    assert [hit.content for hit in hits] == [TALK[3]]
    reasons = [hit.missed for hit in hits.near_misses]
    assert any(reason.startswith("says the same as #") for reason in reasons)
    assert any(reason.endswith("1 were asked for") for reason in reasons)
    assert hits.seconds > 0
