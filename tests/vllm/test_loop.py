"""The whole loop on a real vLLM and a Postgres of its own: random weights call tools, and memory keeps what they did."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from pagemind.engine.policy import Limits
from pagemind.engine.runtime import Runtime
from pagemind.events import RunEnded
from pagemind.records import Agent, Conversation, Message, Run, RunState, Step, StopReason
from pagemind.settings import Settings
from pagemind.store import messages, passages, steps
from pagemind.testing.runtime import make_agent

pytestmark = pytest.mark.anyio

TOOLS = ("note_mood", "archival_memory_insert", "archival_memory_search", "conversation_search")
INPUTS = ("I am Ada.", "Remember the red notebook.", "Where is it?", "What did we decide?", "How do I seem?")
LIMITS = Limits(max_steps=3, max_seconds=120.0, max_tokens=200_000)
CACHE_SLACK_TOKENS = 64
"""The cache holds whole blocks, of 32 tokens here; everything older than that must come from it."""


@dataclass(frozen=True)
class Talk:
    """What came of sending every input: all of it as it stands in the store."""

    agent: Agent
    conversation: Conversation
    runs: list[Run]
    steps: list[Step]
    history: list[Message]


@pytest.fixture
async def vllm_runtime(tmp_path: Path, vllm_url: str) -> AsyncGenerator[Runtime]:
    """A runtime in a fresh home folder that has a tool of its own, reasoning with the tiny model."""
    home = tmp_path / "home"
    (home / "tools").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("mood.py"), home / "tools")
    async with await Runtime.open(Settings(home=home, reasoner_url=vllm_url)) as runtime:
        yield runtime


async def talk(runtime: Runtime) -> Talk:
    """Send every input and follow each run to its end."""
    agent = await make_agent(runtime, "tiny", {"persona": "I am tiny.", "human": ""}, {}, TOOLS)
    conversation = await runtime.new_conversation(agent)
    runs = [await carried(runtime, conversation, text) for text in INPUTS]
    async with runtime.kernel.database.transaction() as session:
        stored = [step for run in runs for step in await steps.of_run(session, run.id)]
        history = await messages.history(session, conversation.id, limit=1_000)
    return Talk(agent, conversation, runs, stored, history)


async def carried(runtime: Runtime, conversation: Conversation, text: str) -> Run:
    run = await runtime.accept(conversation.id, text, limits=LIMITS)
    events = [event async for event in runtime.follow(run.id)]
    assert isinstance(events[-1], RunEnded), events
    return await runtime.run(run.id)


def returns_of(history: Sequence[Message], name: str) -> int:
    """How many calls of a tool went well."""
    return sum(message.role == "tool" and message.name == name and message.status == "ok" for message in history)


async def test_random_weights_call_tools_whose_effects_are_in_memory_once(vllm_runtime: Runtime) -> None:
    done = await talk(vllm_runtime)
    async with vllm_runtime.kernel.database.transaction() as session:
        archived = await passages.count(session, done.agent.id)
    human = next(block for block in await vllm_runtime.memory.blocks(done.agent) if block.label == "human")
    assert archived == returns_of(done.history, "archival_memory_insert")
    assert human.revision - 1 == len(human.value.split()) == returns_of(done.history, "note_mood")
    assert archived + len(human.value.split()) > 0
    check_history(done.history)
    check_runs(done)
    await vllm_runtime.indexed()


def check_history(history: Sequence[Message]) -> None:
    """Contract D6: every call has exactly one return, and the history has no gaps."""
    called = Counter(str(call["id"]) for message in history for call in message.calls or [])
    returned = Counter(message.call_id for message in history if message.role == "tool")
    assert called == returned
    assert set(called.values()) <= {1}
    assert [message.seq for message in history] == list(range(1, len(history) + 1))
    assert [message.content for message in history if message.role == "user"] == list(INPUTS)


def check_runs(done: Talk) -> None:
    """Each run ended within its bounds, and its steps carry what the server reported."""
    bounded = {StopReason.end_turn, StopReason.max_steps, StopReason.invalid_calls}
    assert {run.stop_reason for run in done.runs} <= bounded, [(run.stop_reason, run.error) for run in done.runs]
    assert all(run.state != RunState.running and run.steps <= LIMITS.max_steps for run in done.runs)
    assert all(step.prompt_tokens > 0 and step.completion_tokens > 0 for step in done.steps)
    assert sum(step.prompt_tokens for step in done.steps) == sum(run.prompt_tokens for run in done.runs)
    for before, step in pairwise(done.steps):
        assert step.cached_tokens >= before.prompt_tokens - CACHE_SLACK_TOKENS, "the prompt's prefix moved"
