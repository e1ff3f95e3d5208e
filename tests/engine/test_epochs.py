"""Epochs: within one each prompt begins with the one before; one ends when the window is full, or when it costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from sqlalchemy import update

from pagemind.engine.early import page_out_early
from pagemind.engine.salt import cache_salt
from pagemind.events import Compacted, RunEnded, StepEnded
from pagemind.memory.prefix import Verdict
from pagemind.records import Agent, Cause, Conversation, Epoch, Prompt, Rewrite, Step, now
from pagemind.settings import DEFAULT_TENANT, Settings
from pagemind.store import paging, steps
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

WINDOW = 2_048
COLD, EARLY = 1_177, 1_392
"""The watermarks of that window, with a quarter of it kept for the reply."""
SERVER, RESTARTED = "http://127.0.0.1:8000/v1#1", "http://127.0.0.1:8000/v1#2"


@pytest.fixture
async def cached(settings: Settings) -> AsyncGenerator[Bench]:
    """An agent with a window of about ten exchanges, on a reasoner that seems to cache prefixes."""
    model = ScriptedReasoner(window_tokens=WINDOW, summary="They counted sheep (#1-#4).")
    model.home_name = SERVER
    async with bench(settings, model=model, embedder=HashEmbedder(), memory={"summary_tokens": 64}) as opened:
        yield opened


@dataclass
class Seen:
    """What a talk was told."""

    steps: list[StepEnded]
    compactions: list[Compacted]


async def talk(bench: Bench, turns: int, words: int = 100) -> Seen:
    """Exchange messages of about so many tokens."""
    seen = Seen([], [])
    for turn in range(turns):
        bench.model.will(f"Sheep {turn}.")
        run = await bench.runtime.accept(bench.conversation.id, f"Turn {turn}: " + "sheep " * words)
        async for event in bench.runtime.follow(run.id):
            match event:
                case StepEnded():
                    seen.steps.append(event)
                case Compacted():
                    seen.compactions.append(event)
                case RunEnded():
                    assert event.stop_reason == "end_turn", event.error
                case _:
                    pass
    return seen


async def fill(bench: Bench, above: int) -> Seen:
    """Talk until the next prompt has more than so many tokens; nothing may be paged out on the way."""
    seen = Seen([], [])
    while (await bench.runtime.context(bench.conversation.id)).segments.used <= above:
        seen = await talk(bench, 1, words=40)
    assert await rows(bench) == []
    return seen


async def rows(bench: Bench) -> list[Epoch]:
    """How the conversation's epochs began."""
    async with bench.runtime.kernel.database.transaction() as session:
        return await paging.epochs(session, bench.conversation.id)


async def stored_steps(bench: Bench) -> list[Step]:
    """The conversation's steps in order."""
    async with bench.runtime.kernel.database.transaction() as session:
        runs = await bench.runtime.runs(bench.conversation.id, limit=100)
        return [step for run in reversed(runs) for step in await steps.of_run(session, run.id)]


def asked(model: ScriptedReasoner, purpose: str) -> list[Prompt]:
    return [prompt for prompt in model.prompts if prompt.purpose == purpose]


async def test_every_step_stores_how_its_prompt_began(cached: Bench) -> None:
    cached.model.will(call("core_memory_append", label="human", content="Likes sheep."), "Noted.")
    await cached.ask("I like sheep.")
    await talk(cached, 12)
    stored = await stored_steps(cached)
    verdicts = [step.prefix for step in stored]
    assert verdicts[0] == Verdict.first
    assert Verdict.rolled in verdicts
    assert Verdict.broken not in verdicts
    for before, step in pairwise(stored):
        assert step.counted_tokens == step.prompt_tokens
        if step.prefix == Verdict.kept:
            assert step.common_tokens == before.prompt_tokens
        else:
            assert 0 < step.common_tokens < before.prompt_tokens


async def test_the_snapshot_and_the_summary_are_messages_of_their_own(cached: Bench) -> None:
    await talk(cached, 12)
    system, blocks, summary, first = asked(cached.model, "step")[-1].messages[:4]
    assert system.role == "system"
    assert blocks.content.startswith("<memory_blocks>")
    assert summary.content.startswith("<summary")
    assert first.content.startswith(("Turn", "<time>"))


async def test_the_summary_is_asked_for_at_the_end_of_the_cached_prompt(cached: Bench) -> None:
    seen = await talk(cached, 12)
    assert seen.compactions
    request = asked(cached.model, "summary")[0]
    before = cached.model.prompts[cached.model.prompts.index(request) - 1]
    assert before.purpose == "step"
    shared = min(len(before.messages), len(request.messages) - 1)
    assert request.messages[:shared] == before.messages[:shared]
    assert shared >= len(request.messages) - 2  # the last reply may be the only new thing
    assert request.tools == before.tools
    assert request.tool_choice == "none"
    assert request.affinity == before.affinity
    question = request.messages[-1].content
    assert "#1 Turn 0: sheep" in question
    assert len(question.split()) < 300


async def test_a_reasoner_without_a_cache_is_asked_with_the_messages_alone(cached: Bench) -> None:
    cached.model.home_name = ""
    await talk(cached, 12)
    request = asked(cached.model, "summary")[0]
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.tools == ()


async def test_a_summary_that_is_a_tool_call_in_words_is_asked_for_in_another_way(cached: Bench) -> None:
    cached.model.summary = '<tool_call>{"name": "core_memory_append"}</tool_call>'
    await talk(cached, 12)
    in_place, of_its_own = asked(cached.model, "summary")[:2]
    assert in_place.tools
    assert not of_its_own.tools
    summary = asked(cached.model, "step")[-1].messages[2].content
    assert "<tool_call>" not in summary
    assert "Turn 0: sheep" in summary  # the outline


async def test_between_runs_exchanges_are_paged_out_early_and_the_new_prefix_is_warmed(cached: Bench) -> None:
    with cached.runtime.kernel.hub.listen(cached.conversation.id) as told:
        await fill(cached, EARLY)
        _, event = await told.get()
    assert isinstance(event, Compacted)
    async with asyncio.timeout(10):
        await cached.model.warmed.wait()
    [row] = await rows(cached)
    assert (row.cause, row.epoch, row.messages, row.run_id) == (Cause.early, 2, event.messages, None)
    request, warming = cached.model.prompts[-2:]
    assert (request.purpose, request.background) == ("summary", True)
    assert (warming.max_reply_tokens, warming.background, warming.tool_choice) == (1, True, "none")
    await talk(cached, 1, words=40)
    step = asked(cached.model, "step")[-1]
    assert step.messages[: len(warming.messages)] == warming.messages
    assert not step.background


async def test_nothing_is_paged_out_early_below_the_early_watermark(cached: Bench) -> None:
    await talk(cached, 3)
    assert not await page_out_early(cached.runtime.kernel, cached.conversation.id)
    assert await rows(cached) == []


async def test_paging_out_early_gives_way_to_a_run(cached: Bench) -> None:
    await fill(cached, EARLY)
    before = len(asked(cached.model, "summary"))
    seen = await talk(cached, 6, words=40)
    assert [event.cause for event in seen.compactions] == [Cause.full]
    assert len(asked(cached.model, "summary")) == before + 1


async def test_another_life_of_the_server_renders_the_blocks_anew_at_no_cost(cached: Bench) -> None:
    await talk(cached, 2, words=10)
    cached.model.will(call("core_memory_append", label="human", content="Likes goats."), "Noted.")
    await cached.ask("I like goats.")
    assert "Likes goats." not in asked(cached.model, "step")[-1].messages[1].content
    cached.model.home_name = RESTARTED
    await talk(cached, 1, words=10)
    assert "Likes goats." in asked(cached.model, "step")[-1].messages[1].content
    [row] = await rows(cached)
    assert (row.cause, row.messages, row.epoch) == (Cause.server, 0, 2)
    assert (await stored_steps(cached))[-1].prefix == Verdict.rolled
    await talk(cached, 1, words=10)
    assert len(await rows(cached)) == 1
    assert (await stored_steps(cached))[-1].prefix == Verdict.kept


async def test_another_server_pages_out_what_would_have_to_go_soon(cached: Bench) -> None:
    await fill(cached, COLD)
    cached.model.home_name = RESTARTED
    seen = await talk(cached, 1)
    assert [event.cause for event in seen.compactions] == [Cause.server]
    assert [message.role for message in asked(cached.model, "summary")[-1].messages] == ["system", "user"]


async def test_a_long_pause_counts_as_a_cold_cache(cached: Bench) -> None:
    await talk(cached, 2)
    await cached.memory.edit(cached.agent, "human", Rewrite("Her name is Ada."), author="person:eve")
    async with cached.runtime.kernel.database.transaction() as session:
        await session.execute(update(Conversation).values(stepped_at=now() - timedelta(hours=2)))
    await talk(cached, 1)
    assert [row.cause for row in await rows(cached)] == [Cause.idle]
    assert "Her name is Ada." in asked(cached.model, "step")[-1].messages[1].content


async def test_other_instructions_begin_an_epoch_and_break_no_promise(cached: Bench) -> None:
    await talk(cached, 2)
    async with cached.runtime.kernel.database.transaction() as session:
        await session.execute(update(Agent).values(instructions="You are another test."))
    await talk(cached, 2)
    assert [row.cause for row in await rows(cached)] == [Cause.definition]
    assert [step.prefix for step in await stored_steps(cached)] == ["first", "kept", "rolled", "kept"]


async def test_write_through_rolls_with_each_edit_and_never_breaks(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), memory={"write_policy": "write_through"}) as chat:
        chat.model.will(call("core_memory_append", label="human", content="Likes sheep."), "Noted.")
        await chat.ask("I like sheep.")
        await talk(chat, 1)
        assert [step.prefix for step in await stored_steps(chat)] == ["first", "rolled", "kept"]


async def test_only_the_first_message_after_a_pause_is_under_its_time_for_ever(cached: Bench) -> None:
    await talk(cached, 12)
    for prompt in asked(cached.model, "step"):
        texts = [message.content for message in prompt.messages]
        stamped = [place for place, text in enumerate(texts) if text.startswith("<time>")]
        assert len(stamped) <= 1
        assert all(texts[place + 1].startswith("Turn 0:") for place in stamped)


async def test_background_runs_leave_a_hand_free_and_say_so_to_the_reasoner(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder()) as chat:
        chat.model.will("Done.")
        run = await chat.runtime.accept(chat.conversation.id, "Tidy up.", background=True)
        assert [event async for event in chat.runtime.follow(run.id)][-1].type == "run_ended"
        chat.model.will("Hello.")
        await chat.ask("Hello?")
        assert [prompt.background for prompt in chat.model.prompts] == [True, False]


def test_tenants_have_salts_of_their_own_and_the_only_one_has_none(settings: Settings) -> None:
    first, second = (settings.model_copy(update={"tenant_id": uuid4()}) for _ in range(2))
    assert cache_salt(first) == cache_salt(first) != cache_salt(second)
    assert len(cache_salt(first)) == 64
    assert cache_salt(settings.model_copy(update={"tenant_id": DEFAULT_TENANT})) == ""
    assert (settings.home / "cache.key").stat().st_mode & 0o777 == 0o600
