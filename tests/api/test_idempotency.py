"""A request that comes twice is one: by its key, by its messages' otids, by the SDK's word that it tries again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from letta_client import Letta

from pagemind.testing.openai_server import answers, says
from pagemind.testing.served import Provider, Served


@pytest.fixture
def agent(client: Letta) -> str:
    return client.agents.create(name="ada", model="openai/m", embedding="openai/e").id


def post(server: Served, agent: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{server.url}/v1/agents/{agent}/messages", json=body, headers=named, timeout=30)


def ids(answer: httpx.Response) -> list[str]:
    return [message["id"] for message in answer.json()["messages"]]


def test_the_same_key_joins_the_same_run(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Once."))
    first, second = (post(server, agent, {"input": "hello"}, Idempotency_Key="k1") for _ in range(2))
    assert first.json() == second.json()
    assert len(provider.asked) == 1
    assert len(client.agents.messages.list(agent_id=agent).items) == 3


def test_the_same_key_with_another_body_is_refused(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Once."))
    post(server, agent, {"input": "hello"}, Idempotency_Key="k1")
    other = post(server, agent, {"input": "something else"}, Idempotency_Key="k1")
    assert other.status_code == 422
    assert len(provider.asked) == 1


def test_the_same_otid_joins_the_same_run(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Once."))
    body = {"messages": [{"role": "user", "content": "hello", "otid": "o-1"}]}
    assert ids(post(server, agent, body)) == ids(post(server, agent, body))
    other = {"messages": [{"role": "user", "content": "else", "otid": "o-1"}]}
    assert post(server, agent, other).status_code == 422


def test_a_retry_of_the_sdk_joins_the_first_try(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Once."))
    first = post(server, agent, {"input": "hello"}, X_Stainless_Retry_Count="0")
    again = post(server, agent, {"input": "hello"}, X_Stainless_Retry_Count="1")
    assert ids(first) == ids(again)
    assert len(provider.asked) == 1


def test_a_second_message_of_the_same_words_is_a_second_message(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    first, second = (post(server, agent, {"input": "hello"}, X_Stainless_Retry_Count="0") for _ in range(2))
    assert ids(first) != ids(second)
    other = post(server, agent, {"input": "other words"}, X_Stainless_Retry_Count="1")
    assert len({*ids(first), *ids(second), *ids(other)}) == 3


def test_a_retry_after_other_messages_is_new(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    first = post(server, agent, {"input": "hello"})
    post(server, agent, {"input": "something else"})
    again = post(server, agent, {"input": "hello"}, X_Stainless_Retry_Count="2")
    assert ids(first) != ids(again)


def test_a_stream_is_joined_too(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Once."))
    body = {"input": "hello", "streaming": True, "include_pings": False}
    first, second = (post(server, agent, body, Idempotency_Key="k1").text for _ in range(2))
    assert first == second
    assert len(provider.asked) == 1


def test_nobody_is_told_to_send_again_what_was_accepted(server: Served, provider: Provider, agent: str) -> None:
    provider.will(answers(429, {"error": {"message": "busy"}}))
    failed = post(server, agent, {"input": "hello"})
    assert (failed.status_code, failed.headers["x-should-retry"]) == (429, "false")
    with Letta(base_url=server.url, max_retries=2, timeout=30) as patient, pytest.raises(Exception, match="429"):
        patient.agents.messages.create(agent_id=agent, input="again")
    said = [run.status for run in patient_runs(server, agent)]
    assert said == ["failed", "failed"]


def patient_runs(server: Served, agent: str) -> list[Any]:
    with Letta(base_url=server.url, timeout=30) as client:
        return client.runs.list(agent_id=agent).items
