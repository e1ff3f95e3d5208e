"""Queries and filters that are empty, too much or too strange: one clear answer each, soon, and never another tenant's row."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pagemind.engine.direct import call_directly
from pagemind.records import Filters, Message, Role, Run
from pagemind.settings import Settings
from pagemind.store import history, runs
from pagemind.testing import Bench, bench
from pagemind.testing.vectors import HashEmbedder, WordEmbedder

pytestmark = pytest.mark.anyio

SAID = (
    "The boat is called Petra.",
    "The key is in the drawer, said 'Bob' \\ \"Ann\".",
    "护照在厨房的抽屉里。",
    "جواز السفر في درج المطبخ",
    "Der Schlüssel liegt unter der Fußmatte.",
    "🛶🛶",
    "Invoice 4711-B was paid.",
)
QUERIES = {
    "nothing": "",
    "blanks": " \n\t\u2003",
    "NUL": "\x00",
    "words around a NUL": "boat\x00key",
    "one letter": "a",
    "one digit": "7",
    "emoji": "🛶👩‍👩‍👧‍👦🇵🇹",
    "stop words": "the of and is it to be or not",
    "Chinese": "护照在哪里？",
    "Arabic": "أين جواز السفر",
    "German": "Wo liegt der Schlüssel?",
    "a lone surrogate": "boat \ud83d key",
    "a number that is too large": "#99999999999999999999",
    "a range backwards": "#20-#1",
    "operators": "boat & | ! <-> :* ( ) ' \\ \" %_",
    "SQL": "'; DROP TABLE passages; --",
    "dates that do not exist": "on 31 February 2023, 2023-13-45, May 99th, three hundred thousand sessions ago, in the year 0",
    "100 kB of one word": "x" * 100_000,
    "100 kB of the same word": "boat " * 20_000,
    "100 kB of different words": " ".join(f"w{number}" for number in range(15_000)),
    "100 kB of quotes": "'\"\\" * 33_000,
    "100 kB of Chinese": "护照" * 17_000,
    "100 kB of dates": "on 3 May 2023 " * 7_000,
}
MOST_SECONDS = 5.0
"""On a busy machine; a pasted document must not take longer than that."""


@pytest.fixture
async def stranger(settings: Settings) -> AsyncGenerator[Bench]:
    """A runtime of another tenant whose archive has the same texts."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    async with bench(own, embedder=HashEmbedder(), agent="stranger") as opened:
        await stored(opened, "theirs: ")
        yield opened


async def stored(chat: Bench, before: str = "") -> None:
    """Put the texts into the archive and the conversation."""
    tenant_id, conversation = chat.agent.tenant_id, chat.conversation
    for text in SAID:
        await chat.memory.insert(chat.agent, f"{before}{text}", tags=["t"])
    async with chat.runtime.kernel.database.transaction() as session:
        run = Run(tenant_id=tenant_id, conversation_id=conversation.id, agent_id=chat.agent.id)
        await runs.add(session, run)
        said = [
            Message(
                tenant_id=tenant_id,
                conversation_id=conversation.id,
                run_id=run.id,
                seq=seq,
                role=Role.user,
                content=f"{before}{text}",
            )
            for seq, text in enumerate(SAID, start=1)
        ]
        await history.add(session, said)
    await chat.runtime.indexed()


@pytest.mark.parametrize("name", QUERIES)
async def test_any_query_is_answered_soon_and_from_the_tenants_own_rows(name: str, chat: Bench, stranger: Bench) -> None:
    await stored(chat)
    began = time.monotonic()
    texts = [hit.text for hit in await chat.memory.search_archive(chat.agent, QUERIES[name])]
    contents = [hit.content for hit in await chat.memory.search_conversation(chat.conversation.id, QUERIES[name])]
    assert time.monotonic() - began < MOST_SECONDS
    assert set(texts) <= set(SAID)
    assert set(contents) <= set(SAID)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("护照在厨房的抽屉里。", SAID[2]),
        ("السفر", SAID[3]),
        ("Wo liegt der Schlüssel?", SAID[4]),
        ("4711-B", SAID[6]),
        ("boat\x00 \ud83d", SAID[0]),
        ("The BOAT", SAID[0]),
    ],
)
async def test_what_is_said_in_any_language_is_found(query: str, found: str, settings: Settings) -> None:
    async with bench(settings, embedder=WordEmbedder()) as chat:
        await stored(chat)
        best = await chat.memory.search_archive(chat.agent, query)
        assert best[0].text == found
        told = await chat.memory.search_conversation(chat.conversation.id, query)
        assert told[0].content == found


TAGS = ("it's", 'a "quote"', "a,b", "back\\slash", "{curly}", "%", "NULL", "'; DROP TABLE passages; --", "é\u0301", "🛶", "a b")


@pytest.mark.parametrize("tag", TAGS)
async def test_a_tag_of_any_letters_is_that_tag_and_no_other(tag: str, chat: Bench, stranger: Bench) -> None:
    for each in TAGS:
        await chat.memory.insert(chat.agent, f"The boat has {each}.", tags=[each])
        await stranger.memory.insert(stranger.agent, f"Their boat has {each}.", tags=[each])
    for wanted in (Filters(tags=(tag,)), Filters(tags=(tag,), all_tags=True), Filters(tags=(tag, "nobody's"))):
        assert [hit.text for hit in await chat.memory.search_archive(chat.agent, "boat", filters=wanted)] == [
            f"The boat has {tag}."
        ]
    assert not await chat.memory.search_archive(chat.agent, "boat", filters=Filters(tags=(tag, "nobody's"), all_tags=True))


async def test_a_time_that_ends_before_it_starts_has_nothing_in_it(chat: Bench) -> None:
    await stored(chat)
    now = datetime.now(UTC)
    backwards = Filters(after=now + timedelta(days=1), before=now - timedelta(days=1))
    assert not await chat.memory.search_archive(chat.agent, "boat", filters=backwards)
    assert not await chat.memory.search_conversation(chat.conversation.id, "boat", filters=backwards)
    ever = Filters(after=datetime.min.replace(tzinfo=UTC), before=datetime.max.replace(tzinfo=UTC))
    assert await chat.memory.search_archive(chat.agent, "boat", filters=ever)
    assert await chat.memory.search_conversation(chat.conversation.id, "yesterday, the boat", filters=ever)


@pytest.mark.parametrize("limit", [0, -1, -1_000_000])
async def test_none_wanted_is_none_found(limit: int, chat: Bench) -> None:
    await stored(chat)
    assert len(await chat.memory.search_archive(chat.agent, "boat", limit=limit)) == 0
    assert len(await chat.memory.search_conversation(chat.conversation.id, "boat", limit=limit)) == 0


async def test_a_million_wanted_is_all_there_is(chat: Bench) -> None:
    await stored(chat)
    found = await chat.memory.search_archive(chat.agent, "the boat and the key", limit=1_000_000)
    assert 2 <= len(found) <= len(SAID)
    assert (
        2
        <= len(await chat.memory.search_conversation(chat.conversation.id, "the boat and the key", limit=1_000_000))
        <= len(SAID)
    )


async def called(chat: Bench, tool: str, **arguments: Any) -> tuple[str, str]:
    """The status and the text of a tool that is called directly."""
    result = await call_directly(chat.runtime.kernel, chat.agent, chat.conversation.id, tool, arguments, "person:test")
    return result.status, result.text


@pytest.mark.parametrize("tool", ["archival_memory_search", "conversation_search"])
@pytest.mark.parametrize("name", QUERIES)
async def test_the_tools_answer_any_query_in_words(tool: str, name: str, chat: Bench) -> None:
    await stored(chat)
    status, text = await called(chat, tool, query=QUERIES[name])
    assert status in ("ok", "error")
    assert text.strip()
    assert "Traceback" not in text
    if len(QUERIES[name]) > 1_000:
        assert (status, "1000" in text or "1,000" in text) == ("error", True), text


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("archival_memory_search", {"top_k": 0}, "top_k"),
        ("archival_memory_search", {"top_k": -1}, "top_k"),
        ("archival_memory_search", {"top_k": 1_000_000}, "top_k"),
        ("archival_memory_search", {"top_k": "many"}, "top_k"),
        ("archival_memory_search", {"start_datetime": "2023-02-31"}, "start_datetime"),
        ("archival_memory_search", {"tags": ["t" * 100]}, "tags"),
        ("conversation_search", {"limit": 0}, "limit"),
        ("conversation_search", {"limit": -5}, "limit"),
        ("conversation_search", {"limit": 1_000_000}, "limit"),
        ("conversation_search", {"end_date": "2023-02-31"}, "end_date"),
        ("conversation_search", {"roles": ["nobody"]}, "roles"),
    ],
)
async def test_the_tools_name_the_argument_that_is_wrong(tool: str, arguments: dict[str, Any], named: str, chat: Bench) -> None:
    status, text = await called(chat, tool, query="boat", **arguments)
    assert status == "error"
    assert named in text


async def test_the_tools_find_nothing_in_a_time_that_ends_before_it_starts(chat: Bench) -> None:
    await stored(chat)
    status, text = await called(
        chat, "archival_memory_search", query="boat", start_datetime="2031-01-01", end_datetime="2001-01-01"
    )
    assert (status, text.startswith("Nothing found")) == ("ok", True)
    status, text = await called(chat, "conversation_search", query="boat", start_date="2031-01-01", end_date="2001-01-01")
    assert (status, text.startswith("Nothing found")) == ("ok", True)
