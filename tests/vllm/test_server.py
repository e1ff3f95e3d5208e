"""What the runtime relies on in vLLM, seen from its own client: constrained calls, the cache's figures, exact counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionToolUnionParam
from openai.types.completion_usage import CompletionUsage

APPEND: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {
        "name": "core_memory_append",
        "description": "Append a line to a block of core memory.",
        "parameters": {
            "type": "object",
            "properties": {
                "label": {"type": "string", "enum": ["human", "persona"]},
                "line": {"type": "integer", "enum": [1, 2, 3]},
            },
            "required": ["label", "line"],
            "additionalProperties": False,
        },
    },
}
SYSTEM = "You are an assistant who remembers. " * 40


@dataclass
class Reply:
    """A streamed reply, put together."""

    finish_reason: str = ""
    calls: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    usage: CompletionUsage | None = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            self.finish_reason = choice.finish_reason or self.finish_reason
            for call in choice.delta.tool_calls or []:
                name, arguments = self.calls.get(call.index, ("", ""))
                more = call.function
                assert more is not None
                self.calls[call.index] = (name + (more.name or ""), arguments + (more.arguments or ""))


@pytest.fixture
def client(vllm_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=vllm_url, api_key="none", timeout=120.0, max_retries=0) as client:
        yield client


def ask(client: OpenAI, text: str) -> Reply:
    """One streamed call that has to call the tool."""
    reply = Reply()
    stream = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        tools=[APPEND],
        tool_choice="required",
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=1024,
    )
    for chunk in stream:
        reply.add(chunk)
    return reply


def test_random_weights_call_a_tool_with_arguments_of_its_schema(client: OpenAI) -> None:
    replies = [ask(client, f"I am number {number}.") for number in range(5)]
    whole = [reply for reply in replies if reply.finish_reason == "tool_calls"]
    assert whole, [reply.finish_reason for reply in replies]
    for name, arguments in [call for reply in whole for call in reply.calls.values()]:
        given: dict[str, Any] = json.loads(arguments)
        assert name == "core_memory_append"
        assert given["label"] in ("human", "persona")
        assert given["line"] in (1, 2, 3)


def test_the_second_call_with_the_same_prompt_reports_cached_tokens(client: OpenAI) -> None:
    ask(client, "What is in the cache?")
    usage = ask(client, "What is in the cache?").usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    cached = usage.prompt_tokens_details.cached_tokens or 0
    assert usage.prompt_tokens - 64 < cached <= usage.prompt_tokens


def test_the_server_counts_tokens_and_states_its_window(vllm_url: str) -> None:
    asked = {"model": "tiny", "prompt": "Remember the notebook.", "add_special_tokens": False}
    counted = httpx2.post(vllm_url.removesuffix("/v1") + "/tokenize", json=asked, timeout=30.0).raise_for_status().json()
    assert counted["count"] == len(counted["tokens"]) > 0
    assert counted["max_model_len"] == 16_384
