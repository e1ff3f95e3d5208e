"""Messages to an agent and lists of them, through Letta's SDK."""

from __future__ import annotations

from typing import Any

import httpx
import letta_client
import pytest
from letta_client import Letta

from pagemind.testing.openai_server import answers, calls, delta, says, streams
from pagemind.testing.served import Provider, Served

NOBODY = "agent-11111111-1111-4111-8111-111111111111"


@pytest.fixture
def agent(client: Letta) -> str:
    made = client.agents.create(
        name="ada", model="openai/m", embedding="openai/e", memory_blocks=[{"label": "human", "value": "Name: Bo"}]
    )
    return made.id


def send(client: Letta, agent: str, text: str, **more: Any) -> Any:
    return client.agents.messages.create(agent_id=agent, messages=[{"role": "user", "content": text}], **more)


def kinds(messages: Any) -> list[str]:
    return [message.message_type for message in messages]


def listed(client: Letta, agent: str, **asked: Any) -> list[Any]:
    return client.agents.messages.list(agent_id=agent, **asked).items


def thinks_then(thought: str, *rest: dict[str, Any]) -> Any:
    return streams(delta(reasoning_content=thought), *rest)


def test_an_agent_answers(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Good morning."))
    answer = send(client, agent, "Hello!")
    [message] = answer.messages
    assert (message.message_type, message.content) == ("assistant_message", "Good morning.")
    assert message.id.startswith("message-")
    assert message.run_id.startswith("run-")
    assert message.step_id.startswith("step-")
    assert message.otid.startswith(message.id.removeprefix("message-")[:-2])
    assert answer.stop_reason.stop_reason == "end_turn"
    assert answer.usage.step_count == 1
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
