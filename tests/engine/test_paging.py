"""Paging: the prompt only grows until the epoch rolls, and what leaves the window stays in recall."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest

from pagemind.events import Compacted, RunEnded
from pagemind.records import Prompt, Rewrite
from pagemind.settings import Settings
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

WINDOW = 2_048


@pytest.fixture
async def small(settings: Settings) -> AsyncGenerator[Bench]:
    """An agent with a window of about ten exchanges."""
    model = ScriptedReasoner(window_tokens=WINDOW, summary="They counted sheep (#1-#4).")
    async with bench(settings, model=model, embedder=HashEmbedder(), memory={"summary_tokens": 64}) as opened:
        yield opened


async def talk(small: Bench, turns: int) -> list[Compacted]:
    """Exchange messages of about a hundred tokens; the compactions on the way."""
    compactions: list[Compacted] = []
    for turn in range(turns):
        small.model.will(f"Sheep {turn}.")
        run = await small.runtime.accept(small.conversation.id, f"Turn {turn}: " + "sheep " * 100)
        async for event in small.runtime.follow(run.id):
            if isinstance(event, Compacted):
                compactions.append(event)
            if isinstance(event, RunEnded):
                assert event.stop_reason == "end_turn", event.error
    return compactions


def steps(model: ScriptedReasoner) -> list[Prompt]:
    return [prompt for prompt in model.prompts if prompt.purpose == "step"]


async def test_within_an_epoch_each_prompt_begins_with_the_one_before(small: Bench) -> None:
    small.model.will(call("core_memory_append", label="human", content="Likes sheep."), "Noted.")
    await small.ask("I like sheep.")
    assert await talk(small, 3) == []
    prompts = steps(small.model)
    assert len(prompts) == 5
    for before, after in pairwise(prompts):
        assert after.messages[: len(before.messages)] == before.messages
        assert after.tools == before.tools


async def test_above_the_high_watermark_the_oldest_exchanges_leave_down_to_the_low_one(small: Bench) -> None:
    compactions = await talk(small, 16)
    assert compactions
    for event in compactions:
        assert event.tokens_before > WINDOW - WINDOW // 4  # the reserve for a reply is a quarter of this small window
        assert event.tokens_after <= 0.5 * WINDOW + 110
    report = await small.runtime.context(small.conversation.id)
    assert report.messages_total == 32
    assert report.messages_out == compactions[-1].last_seq
    assert report.segments.used <= report.window_tokens
    assert all(prompt.segments.used <= WINDOW - prompt.segments.reserve for prompt in steps(small.model))


async def test_the_summary_names_what_was_paged_out_by_number(small: Bench) -> None:
    [*_, last] = await talk(small, 16)
    context = steps(small.model)[-1].messages[2].content
    assert f"Messages #1 to #{last.last_seq}" in context
    assert "They counted sheep (#1-#4)." in context


async def test_a_paged_out_message_is_found_by_words_and_by_number(small: Bench) -> None:
    small.model.will("Good to know.")
    await small.ask("My dentist is called Dr. Quill.")
    await talk(small, 16)
    assert (await small.runtime.context(small.conversation.id)).conversation.resident_from > 2
    small.model.will(call("conversation_search", query="dentist called"), call("conversation_search", query="#1"), "Dr. Quill.")
    assert await small.ask("Who is my dentist?") == "Dr. Quill."
    by_words, by_number = [p.messages[-1].content for p in steps(small.model)[-2:]]
    assert "Dr. Quill" in by_words.splitlines()[0]
    assert "Dr. Quill" in by_number


async def test_an_edit_from_elsewhere_comes_as_a_notice_before_the_next_message_once(chat: Bench) -> None:
    chat.model.will("Hello.", "I see.", "Yes.")
    await chat.ask("Hello.")
    await chat.memory.edit(chat.agent, "human", Rewrite("Her name is Ada."), author="person:eve")
    await chat.ask("Who am I?")
    await chat.ask("Sure?")
    history = await chat.runtime.history(chat.conversation.id)
    assert [m.role for m in history] == ["user", "assistant", "notice", "user", "assistant", "user", "assistant"]
    assert "person:eve" in history[2].content
    assert "Her name is Ada." in history[2].content
    first, second, _ = chat.model.prompts
    assert second.messages[: len(first.messages)] == first.messages


async def test_an_own_edit_is_not_noticed(chat: Bench) -> None:
    chat.model.will(call("memory_rethink", label="human", new_memory="Ada."), "Noted.", "Yes.")
    await chat.ask("I am Ada.")
    await chat.ask("Sure?")
    assert "notice" not in [m.role for m in await chat.runtime.history(chat.conversation.id)]


async def test_the_blocks_are_rendered_anew_when_the_epoch_rolls(small: Bench) -> None:
    small.model.will(call("core_memory_append", label="human", content="Likes sheep."), "Noted.")
    await small.ask("I like sheep.")
    assert "Likes sheep." not in steps(small.model)[-1].messages[1].content
    await talk(small, 16)
    assert "Likes sheep." in steps(small.model)[-1].messages[1].content


async def test_notices_that_outgrow_their_budget_roll_the_epoch(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), memory={"notice_budget_tokens": 30}) as chat:
        for turn in range(4):
            chat.model.will("Yes.")
            await chat.ask("Are you there?")
            text = f"Version {turn}: " + "word " * 10
            await chat.memory.edit(chat.agent, "human", Rewrite(text), author="person:eve")
        chat.model.will("Yes.")
        await chat.ask("And now?")
        assert "Version 3" in chat.model.prompts[-1].messages[1].content


async def test_write_through_renders_every_edit_at_once(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), memory={"write_policy": "write_through"}) as chat:
        chat.model.will(call("core_memory_append", label="human", content="Likes sheep."), "Noted.")
        await chat.ask("I like sheep.")
        assert "Likes sheep." in chat.model.prompts[-1].messages[1].content


async def test_a_message_too_large_for_the_window_ends_its_run_and_no_later_one(small: Bench) -> None:
    run = await small.runtime.accept(small.conversation.id, "word " * 1_600)
    *_, last = [event async for event in small.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert last.stop_reason == "window_full"
    small.model.will("Still here.")
    assert await small.ask("Hello?") == "Still here."


async def test_compacting_by_hand_pages_out_what_may_go(small: Bench) -> None:
    await talk(small, 4)
    event = await small.runtime.compact(small.conversation.id)
    assert event is not None
    assert event.tokens_after < event.tokens_before
    small.model.will("Yes.")
    assert await small.ask("Still there?") == "Yes."
    assert await small.runtime.compact(small.conversation.id) is not None
    assert await small.runtime.compact(small.conversation.id) is None


async def test_undo_gives_a_block_its_earlier_value_and_goes_further_back_each_time(chat: Bench) -> None:
    for text in ("one", "two", "three"):
        await chat.memory.edit(chat.agent, "human", Rewrite(text), author="person:eve")
    assert (await chat.memory.undo(chat.agent, "human", author="person:eve")).value == "two"
    assert (await chat.memory.undo(chat.agent, "human", author="person:eve")).value == "one"
    await chat.memory.edit(chat.agent, "human", Rewrite("four"), author="person:eve")
    assert (await chat.memory.undo(chat.agent, "human", author="person:eve")).value == "one"


async def test_a_summary_with_nul_and_half_a_character_is_kept_without_them(small: Bench) -> None:
    small.model.summary = "They counted\x00 sheep \ud83d(#1-#4)."
    await talk(small, 12)
    assert "They counted sheep \ufffd(#1-#4)." in steps(small.model)[-1].messages[2].content
