"""What our own client finds out about a real vLLM, and its counts against ``usage.prompt_tokens``: equal, every call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from pagemind.model.openai_reasoner import OpenAIReasoner
from pagemind.records import CallRequest, Completion, Prompt, PromptMessage, ToolSchema
from pagemind.settings import Settings
from pagemind.toolbox.registry import load_tools

pytestmark = pytest.mark.anyio

SYSTEM = PromptMessage("system", "You are a helpful assistant who remembers.\n\nÄußerst 漢字 🙂.")
HEAD = (
    [PromptMessage("user", '<memory_blocks>\n<block label="human">\nAda\n</block>\n</memory_blocks>')],
    [PromptMessage("user", "<summary>\nThey talked of tomatoes.\n</summary>")],
    [PromptMessage("user", "Where is the notebook?  \n")],
)
TWO_CALLS = [
    PromptMessage(
        "assistant",
        "Let me look.\n",
        calls=(
            CallRequest("call_1", "archival_memory_search", '{"query": "notebook",   "top_k": 5}'),
            CallRequest("call_2", "conversation_search", "{not JSON"),
        ),
        reasoning="Where may it be?",
    ),
    PromptMessage("tool", '{"hits": ["The notebook is red."]}', call_id="call_1", name="archival_memory_search"),
    PromptMessage("tool", "", call_id="call_2", name="conversation_search"),
]
STEPS = 6
CACHE_SLACK_TOKENS = 64


@pytest.fixture
async def reasoner(vllm_url: str, tmp_path: Path) -> AsyncIterator[OpenAIReasoner]:
    made = OpenAIReasoner(Settings(home=tmp_path), vllm_url)
    await made.learn()
    yield made
    await made.close()


@pytest.fixture
def tools() -> tuple[ToolSchema, ...]:
    """The shipped tools."""
    registry = load_tools([Settings().content_folder / "tools"])
    return tuple(registry[name].schema for name in sorted(registry))


async def whole(reasoner: OpenAIReasoner, prompt: Prompt) -> Completion:
    [*_, last] = [piece async for piece in reasoner.stream(prompt)]
    assert isinstance(last, Completion)
    return last


async def counted(
    reasoner: OpenAIReasoner, tools: Sequence[ToolSchema], groups: Sequence[Sequence[PromptMessage]]
) -> tuple[Prompt, int]:
    """The prompt of these groups, and its tokens by our count."""
    tokens = await reasoner.tokens.frame(SYSTEM, tools) + sum([await reasoner.tokens.added(group) for group in groups])
    return Prompt((SYSTEM, *chain(*groups)), tuple(tools), max_reply_tokens=8), tokens


async def test_a_real_vllm_is_known_with_its_life(reasoner: OpenAIReasoner, vllm_url: str) -> None:
    [(_, traits)] = reasoner.traits
    assert traits.vllm
    assert traits.counts_chats
    assert not traits.dialect.merges_users
    assert float(traits.start) > 1.7e9
    assert reasoner.home("a") == f"{vllm_url}#{traits.start}"


async def test_each_length_of_a_conversation_is_counted_as_it_is_charged(
    reasoner: OpenAIReasoner, tools: tuple[ToolSchema, ...]
) -> None:
    groups = [*HEAD, TWO_CALLS, [PromptMessage("assistant", "It is on the shelf.")], [PromptMessage("user", "Thanks.")]]
    for end in (1, 2, 3, 4, 6):
        prompt, tokens = await counted(reasoner, tools, groups[:end])
        assert (await whole(reasoner, prompt)).usage.prompt_tokens == tokens
    for changed in (replace(prompt, tool_choice="none"), replace(prompt, background=True, cache_salt="salt")):
        assert (await whole(reasoner, changed)).usage.prompt_tokens == tokens


async def test_what_random_weights_reply_is_counted_as_it_is_charged(
    reasoner: OpenAIReasoner, tools: tuple[ToolSchema, ...]
) -> None:
    groups, before = [list(group) for group in HEAD], 0
    for step in range(STEPS):
        prompt, tokens = await counted(reasoner, tools, groups)
        needed = replace(prompt, tool_choice="required" if step % 2 else "auto", max_reply_tokens=200)
        reply = await whole(reasoner, needed)
        assert reply.usage.prompt_tokens == tokens
        assert (reply.usage.cached_tokens or 0) >= before - CACHE_SLACK_TOKENS
        before = tokens
        groups.append([PromptMessage("assistant", reply.text, reply.calls, reasoning=reply.reasoning)])
        groups[-1] += [PromptMessage("tool", f"{step}", call_id=call.id, name=call.name) for call in reply.calls]
        groups += [] if reply.calls else [[PromptMessage("user", "Go on.")]]


async def test_tenants_with_different_salts_share_no_cache(reasoner: OpenAIReasoner, tools: tuple[ToolSchema, ...]) -> None:
    prompt, _ = await counted(reasoner, tools, HEAD)
    first = [await whole(reasoner, replace(prompt, cache_salt="one")) for _ in range(2)]
    other = await whole(reasoner, replace(prompt, cache_salt="two"))
    assert [bool(reply.usage.cached_tokens) for reply in (*first, other)] == [False, True, False]
