"""Runs and steps through Letta's SDK."""

from __future__ import annotations

from typing import Any

import httpx
import letta_client
import pytest
from letta_client import Letta

from pagemind.testing.openai_server import answers, calls, delta, says, streams
from pagemind.testing.served import Provider, Served

NO_RUN = "run-11111111-1111-4111-8111-111111111111"
NO_STEP = "step-11111111-1111-4111-8111-111111111111"


@pytest.fixture
def agent(client: Letta) -> str:
    return client.agents.create(name="ada", model="openai/m", embedding="openai/e").id


def run_of(client: Letta, agent: str, text: str = "hello") -> str:
    answer = client.agents.messages.create(agent_id=agent, input=text)
    run_id = answer.messages[0].run_id
    assert run_id is not None
    return run_id


def with_usage(text: str) -> Any:
    usage = {"prompt_tokens": 120, "completion_tokens": 7, "total_tokens": 127, "prompt_tokens_details": {"cached_tokens": 100}}
    return streams(delta(content=text), delta("stop"), {"model": "m", "choices": [], "usage": usage})


def test_a_run_that_ended_says_how(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    run = client.runs.retrieve(run_of(client, agent))
    assert (run.status, run.stop_reason, run.agent_id) == ("completed", "end_turn", agent)
    assert run.background is False
    assert run.completed_at is not None
    assert run.created_at is not None
    assert run.completed_at >= run.created_at
    assert run.total_duration_ns is not None
    assert run.total_duration_ns > 0
    assert run.request_config is not None
    assert run.request_config.assistant_message_tool_name == "send_message"
    assert run.conversation_id is not None
    assert run.conversation_id.startswith("conv-")


def test_a_run_that_failed_says_so(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(answers(400, {"error": {"message": "no"}}))
    with pytest.raises(letta_client.BadRequestError):
        run_of(client, agent)
    [run] = client.runs.list(agent_id=agent).items
    assert (run.status, run.stop_reason) == ("failed", "llm_api_error")
    assert [each.id for each in client.runs.list(agent_id=agent, stop_reason="llm_api_error").items] == [run.id]


def test_runs_are_listed_the_newest_first_by_pages(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    made = [run_of(client, agent, f"number {number}") for number in range(3)]
    assert [run.id for run in client.runs.list(agent_id=agent).items] == made[::-1]
    assert [run.id for run in client.runs.list(agent_id=agent, limit=2)] == made[::-1]
    assert [run.id for run in client.runs.list(agent_id=agent, order="asc", limit=1).items] == made[:1]
    assert [run.id for run in client.runs.list(agent_id=agent, after=made[1]).items] == made[:1]
    with pytest.raises(letta_client.NotFoundError):
        client.runs.list(agent_id=agent, after=NO_RUN)


def test_runs_are_filtered(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    done = run_of(client, agent)
    later = client.agents.messages.create_async(agent_id=agent, messages=[{"role": "user", "content": "later"}]).id
    list(client.runs.messages.stream(later))
    assert [run.id for run in client.runs.list(agent_id=agent, background=True).items] == [later]
    assert [run.id for run in client.runs.list(agent_ids=[agent], background=False).items] == [done]
    assert len(client.runs.list(agent_id=agent, statuses=["completed"]).items) == 2
    assert client.runs.list(agent_id=agent, statuses=["failed"]).items == []
    assert client.runs.list(agent_id=agent, active=True).items == []
    conversation = client.runs.retrieve(done).conversation_id
    assert len(client.runs.list(conversation_id=conversation).items) == 2


def test_a_runs_messages_have_its_input_first(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="x"), says("Done."))
    run = run_of(client, agent)
    whole = client.runs.messages.list(run).items
    kinds = [message.message_type for message in whole]
    assert kinds == ["user_message", "tool_call_message", "tool_return_message", "assistant_message"]
    assert [message.id for message in client.runs.messages.list(run, limit=3)] == [message.id for message in whole]
    newest = client.runs.messages.list(run, order="desc", limit=1).items
    assert [message.message_type for message in newest] == ["assistant_message"]


def test_usage_is_what_the_model_server_said(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(with_usage("Hi."))
    run = run_of(client, agent)
    usage = client.runs.usage.retrieve(run)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (120, 7, 127)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 100


def test_steps_of_a_run(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="x"), with_usage("Done."))
    run = run_of(client, agent)
    steps = client.runs.steps.list(run).items
    assert len(steps) == 2
    last, first = steps
    assert (last.stop_reason, first.stop_reason) == ("end_turn", None)
    assert (last.prompt_tokens, last.completion_tokens, last.model, last.status) == (120, 7, "m", "success")
    assert last.run_id == first.run_id == run
    assert client.steps.retrieve(last.id).total_tokens == 127
    said = client.steps.messages.list(first.id).items
    assert [message.message_type for message in said] == ["user_message", "tool_call_message", "tool_return_message"]


def test_steps_can_be_listed_and_judged(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    run = run_of(client, agent)
    [step] = client.steps.list(agent_id=agent).items
    assert step.run_id == run
    judged = client.steps.feedback.create(step.id, feedback="positive", tags=["kind"])
    assert (judged.feedback, judged.tags) == ("positive", ["kind"])
    assert [each.id for each in client.steps.list(agent_id=agent, feedback="positive").items] == [step.id]
    assert client.steps.list(agent_id=agent, has_feedback=False).items == []
    assert client.steps.trace.retrieve(step.id) is None
    metrics = client.steps.metrics.retrieve(step.id)
    assert metrics.step_ns is not None
    assert metrics.step_ns >= (metrics.llm_request_ns or 0) > 0


def test_what_is_unknown_is_not_found(client: Letta) -> None:
    for ask in (
        lambda: client.runs.retrieve(NO_RUN),
        lambda: client.runs.messages.list(NO_RUN),
        lambda: client.runs.usage.retrieve(NO_RUN),
        lambda: client.runs.steps.list(NO_RUN),
        lambda: client.steps.retrieve(NO_STEP),
        lambda: client.steps.metrics.retrieve(NO_STEP),
        lambda: client.steps.trace.retrieve(NO_STEP),
        lambda: client.steps.feedback.create(NO_STEP, feedback="negative"),
    ):
        with pytest.raises(letta_client.NotFoundError):
            ask()


def test_a_run_is_deleted_once(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    url = f"{server.url}/v1/runs/{run_of(client, agent)}"
    assert httpx.get(f"{url}/metrics").json()["num_steps"] == 1
    assert httpx.delete(url).status_code == 204
    assert httpx.delete(url).status_code == 404
    assert client.runs.list(agent_id=agent).items == []
    assert len(client.agents.messages.list(agent_id=agent).items) == 3


def test_a_trace_is_refused(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    assert httpx.get(f"{server.url}/v1/runs/{run_of(client, agent)}/trace").status_code == 501
