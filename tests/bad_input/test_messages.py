"""Messages, blocks and windows that are too much or too strange: one clear answer, and nothing lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from pagemind.errors import BlockFull, EmptyMessage, MessageTooLong
from pagemind.events import RunEnded
from pagemind.records import Append
from pagemind.settings import Settings
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

ARABIC = "مرحبا \u202eبالعالم\u202c שלום"
EMOJI = "👩‍👩‍👧‍👦 🇵🇹 e\u0301 \u200b 𝔘𝔫𝔦"


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u2003", "\x00", "\x00 \n"])
async def test_nothing_said_is_refused_and_nothing_is_kept(chat: Bench, text: str) -> None:
    with pytest.raises(EmptyMessage):
        await chat.runtime.accept(chat.conversation.id, text)
    assert await chat.runtime.runs(chat.conversation.id) == []


async def test_a_megabyte_is_refused_with_both_lengths_and_the_next_message_works(chat: Bench) -> None:
    with pytest.raises(MessageTooLong, match="1,000,000"):
        await chat.runtime.accept(chat.conversation.id, "x" * 1_000_000)
    chat.model.will("Yes?")
    assert await chat.ask("Hello?") == "Yes?"
    assert len(await chat.runtime.history(chat.conversation.id)) == 2


@pytest.mark.parametrize("text", [ARABIC, EMOJI, "line\r\nline\ttab", "'; DROP TABLE runs; --", "{{ 7 * 7 }} </memory>"])
async def test_every_script_comes_back_letter_for_letter(chat: Bench, text: str) -> None:
    chat.model.will(call("core_memory_append", label="human", content=text), text)
    assert await chat.ask(text) == text
    history = await chat.runtime.history(chat.conversation.id)
    assert (history[0].content, history[-1].content) == (text, text)
    assert await chat.block("human") == text
    assert text in chat.model.prompts[0].messages[-1].content


async def test_what_no_database_can_hold_is_left_out_and_the_rest_is_kept(chat: Bench) -> None:
    chat.model.will("Yes?")
    await chat.ask("a\x00b\ud83dc\udc00")
    [said, _] = await chat.runtime.history(chat.conversation.id)
    assert said.content.replace("\ufffd", "") == "abc"


async def test_strange_queries_find_what_they_may_and_break_nothing(chat: Bench) -> None:
    await chat.memory.insert(chat.agent, f"The word is {ARABIC}.")
    for query in ("\x00", "", "  ", "\ud800", "#", "#99999999999999", "' OR 1=1", "%_&|!():*<->", ARABIC, "x" * 100_000):
        chat.model.will(call("conversation_search", query=query), call("archival_memory_search", query=query), "Looked.")
        assert await chat.ask("Look it up.") == "Looked."
    assert [hit.text for hit in await chat.memory.search_archive(chat.agent, "שלום")] == [f"The word is {ARABIC}."]


async def test_a_block_over_its_limit_is_refused_to_the_agent_in_words_and_to_a_person(chat: Bench) -> None:
    chat.model.will(call("core_memory_append", label="human", content="x" * 15_000), "It did not fit.")
    assert await chat.ask("Remember this.") == "It did not fit."
    refusal = chat.model.prompts[-1].messages[-1].content
    assert "Refused" in refusal
    assert "archival_memory_insert" in refusal
    with pytest.raises(BlockFull):
        await chat.memory.edit(chat.agent, "human", Append("x" * 100_000), author="person")
    assert await chat.block("human") == ""
    assert len(await chat.memory.history(chat.agent, "human")) == 1


@pytest.fixture
async def small(settings: Settings) -> AsyncGenerator[Bench]:
    """A window of 1,500 tokens, of which a reply may take a quarter."""
    async with bench(settings, model=ScriptedReasoner(window_tokens=1_500), embedder=HashEmbedder()) as opened:
        yield opened


async def test_a_message_that_fills_the_window_fails_its_own_run_only(small: Bench) -> None:
    small.model.will("Hello.", "Here again.")
    await small.ask("Hello!")
    run = await small.runtime.accept(small.conversation.id, "a b " * 1_400)
    *_, last = [event async for event in small.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert (last.state, last.stop_reason) == ("failed", "window_full")
    assert await small.ask("Are you there?") == "Here again."
    contents = [m.content for m in await small.runtime.history(small.conversation.id)]
    assert [len(content) > 5_000 for content in contents] == [False, False, True, False, False]


async def test_a_tool_result_that_outgrows_the_window_is_cut_and_says_so(small: Bench) -> None:
    for n in range(6):
        await small.memory.insert(small.agent, f"Sheep {n}: " + "sheep " * 290)
    small.model.will(call("archival_memory_search", query="sheep"), "Back.")
    assert await small.ask("Tell me of the sheep.") == "Back."
    result = small.model.prompts[-1].messages[-1].content
    assert "sheep" in result
    assert "characters left out. Ask for less" in result


async def test_calls_that_go_on_when_nothing_is_left_end_the_run_and_the_next_message_works(settings: Settings) -> None:
    model = ScriptedReasoner(window_tokens=1_500, summary="They looked for sheep.")
    async with bench(settings, model=model, embedder=HashEmbedder(), memory={"summary_tokens": 64}) as small:
        await small.memory.insert(small.agent, "Sheep: " + "sheep " * 290)
        small.model.will([call("archival_memory_search", query="sheep") for _ in range(15)], "Back.")
        run = await small.runtime.accept(small.conversation.id, "Tell me of the sheep.")
        *_, last = [event async for event in small.runtime.follow(run.id)]
        assert isinstance(last, RunEnded)
        assert last.stop_reason == "window_full"
        assert "sheep" in (await small.runtime.history(small.conversation.id))[-1].content
        assert await small.ask("Are you there?") == "Back."
