"""Tool rules, approvals and client tools, through Letta's SDK."""

from __future__ import annotations

from typing import Any

import letta_client
import pytest
from letta_client import Letta

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider

ASKS = {"type": "requires_approval", "tool_name": "conversation_search"}
LOOK = calls("conversation_search", query="a")
CLOCK = {
    "name": "local_time",
    "description": "Local time.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
}


def make(client: Letta, *rules: dict[str, Any], **more: Any) -> str:
    create: Any = client.agents.create
    blocks = [{"label": "human", "value": "Bo"}]
    made = create(model="openai/m", embedding="openai/e", memory_blocks=blocks, tool_rules=list(rules), **more)
    return made.id


def send(client: Letta, agent: str, text: str, **more: Any) -> Any:
    create: Any = client.agents.messages.create
    return create(agent_id=agent, messages=[{"role": "user", "content": text}], **more)


def answer(client: Letta, agent: str, *approvals: dict[str, Any], **more: Any) -> Any:
    create: Any = client.agents.messages.create
    return create(agent_id=agent, messages=[{"type": "approval", "approvals": list(approvals)}], **more)


def kinds(answered: Any) -> list[str]:
    return [message.message_type for message in answered.messages]


def test_a_terminal_tool_ends_the_run(client: Letta, provider: Provider) -> None:
    agent = make(client, {"type": "exit_loop", "tool_name": "conversation_search"})
    provider.will(LOOK, says("never"))
    answered = send(client, agent, "Go.")
    assert (kinds(answered), answered.stop_reason.stop_reason) == (["tool_call_message", "tool_return_message"], "tool_rule")


def test_a_call_against_a_rule_is_an_error_that_the_agent_reads(client: Letta, provider: Provider) -> None:
    agent = make(client, {"type": "constrain_child_tools", "tool_name": "conversation_search", "children": ["memory_insert"]})
    provider.will(LOOK, calls("memory_replace", label="human", old_string="Bo", new_string="Bob"), says("Well."))
    answered = send(client, agent, "Go.")
    assert kinds(answered)[2:] == ["tool_call_message", "tool_return_message", "assistant_message"]
    assert (answered.messages[3].status, "memory_insert" in answered.messages[3].tool_return) == ("error", True)
    assert client.agents.blocks.retrieve("human", agent_id=agent).value == "Bo"


def test_a_required_tool_is_called_before_the_run_ends(client: Letta, provider: Provider) -> None:
    agent = make(client, {"type": "required_before_exit", "tool_name": "memory_insert"})
    provider.will(says("Early."), calls("memory_insert", label="human", new_string="x"), says("Late."))
    answered = send(client, agent, "Go.")
    assert answered.stop_reason.stop_reason == "end_turn"
    assert [m.content for m in answered.messages if m.message_type == "assistant_message"] == ["Early.", "Late."]


def test_arguments_of_a_first_tool_are_given_by_its_rule(client: Letta, provider: Provider) -> None:
    agent = make(client, {"type": "run_first", "tool_name": "conversation_search", "args": {"query": "given"}})
    provider.will(calls("conversation_search"), says("Done."))
    answered = send(client, agent, "Go.")
    assert answered.messages[0].tool_call.arguments == '{"query": "given"}'


def test_a_call_that_needs_approval_runs_when_it_is_approved(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK, says("Found."))
    asked = send(client, agent, "Go.")
    assert (kinds(asked), asked.stop_reason.stop_reason) == (["approval_request_message"], "requires_approval")
    call_id = asked.messages[0].tool_call.tool_call_id
    answered = answer(client, agent, {"type": "approval", "tool_call_id": call_id, "approve": True})
    assert (kinds(answered), answered.stop_reason.stop_reason) == (["tool_return_message", "assistant_message"], "end_turn")
    listed = [message.message_type for message in client.agents.messages.list(agent_id=agent).items]
    assert listed[-5:] == [
        "user_message",
        "approval_request_message",
        "approval_response_message",
        "tool_return_message",
        "assistant_message",
    ]


def test_a_denied_call_is_an_error_with_the_reason(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK, says("As you wish."))
    call_id = send(client, agent, "Go.").messages[0].tool_call.tool_call_id
    denied = {"type": "approval", "tool_call_id": call_id, "approve": False, "reason": "not now"}
    answered = answer(client, agent, denied)
    returned = answered.messages[0]
    assert (returned.status, "denied" in returned.tool_return, "not now" in returned.tool_return) == ("error", True, True)


def test_a_message_while_an_approval_is_pending_conflicts(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK)
    asked = send(client, agent, "Go.")
    with pytest.raises(letta_client.ConflictError) as refused:
        send(client, agent, "Hello?")
    body: Any = refused.value.body
    assert body["detail"]["code"] == "PENDING_APPROVAL"
    assert body["detail"]["pending_request_id"] == asked.messages[0].id


def test_an_approval_of_another_call_is_a_bad_request(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK)
    send(client, agent, "Go.")
    with pytest.raises(letta_client.BadRequestError):
        answer(client, agent, {"type": "approval", "tool_call_id": "call_wrong", "approve": True})


def test_an_approval_where_none_is_pending_is_a_bad_request(client: Letta) -> None:
    with pytest.raises(letta_client.BadRequestError):
        answer(client, make(client), {"type": "approval", "tool_call_id": "call_wrong", "approve": True})


def test_cancelling_takes_the_question_back(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK, says("Hello."))
    asked = send(client, agent, "Go.")
    assert client.agents.messages.cancel(agent_id=agent) == {asked.messages[0].run_id: "cancelled"}
    assert send(client, agent, "Hello?").stop_reason.stop_reason == "end_turn"


def test_the_tool_of_a_client_is_run_by_the_client(client: Letta, provider: Provider) -> None:
    agent = make(client)
    provider.will(calls("local_time", zone="UTC"), says("It is noon."))
    asked = send(client, agent, "What time is it?", client_tools=[CLOCK])
    assert (kinds(asked), asked.stop_reason.stop_reason) == (["approval_request_message"], "requires_approval")
    call_id = asked.messages[0].tool_call.tool_call_id
    given = {"type": "tool", "tool_call_id": call_id, "tool_return": "12:00", "status": "success"}
    answered = answer(client, agent, given, client_tools=[CLOCK])
    assert [answered.messages[0].tool_return, answered.messages[1].content] == ["12:00", "It is noon."]


def test_an_approval_can_be_streamed(client: Letta, provider: Provider) -> None:
    agent = make(client, ASKS)
    provider.will(LOOK, says("Found."))
    told = list(send(client, agent, "Go.", streaming=True))
    asked = next(each for each in told if each.message_type == "approval_request_message")
    message: Any = {
        "type": "approval",
        "approvals": [{"type": "approval", "tool_call_id": asked.tool_call.tool_call_id, "approve": True}],
    }
    answered: Any = list(client.agents.messages.create(agent_id=agent, messages=[message], streaming=True))
    told_kinds = [each.message_type for each in answered if each.message_type != "ping"]
    assert told_kinds == ["tool_return_message", "assistant_message", "stop_reason", "usage_statistics"]


def test_an_agent_that_speaks_through_a_tool_is_heard(client: Letta, provider: Provider) -> None:
    agent = make(client, agent_type="memgpt_v2_agent")
    provider.will(calls("send_message", message="Hello, Bo."), says("never"))
    answered = send(client, agent, "Hello!")
    assert [m.content for m in answered.messages if m.message_type == "assistant_message"] == ["Hello, Bo."]
    assert answered.usage.step_count == 1


def test_instructions_may_differ_for_one_run(client: Letta, provider: Provider) -> None:
    agent = make(client)
    provider.will(says("Salve."))
    send(client, agent, "Hello!", override_system="Speak Latin.")
    assert "Speak Latin." in provider.asked[-1].body["messages"][0]["content"]


def test_what_the_model_settings_say_reaches_the_model(client: Letta, provider: Provider) -> None:
    settings: Any = {"provider_type": "openai", "temperature": 0.3, "max_output_tokens": 300, "parallel_tool_calls": False}
    agent = make(client, model_settings=settings)
    provider.will(says("Hello."))
    send(client, agent, "Hello!")
    body = provider.asked[-1].body
    assert (body["temperature"], body["max_tokens"], body["parallel_tool_calls"]) == (0.3, 300, False)
