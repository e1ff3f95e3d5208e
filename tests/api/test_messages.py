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
    messages: Any = client.agents.messages
    return messages.create(agent_id=agent, messages=[{"role": "user", "content": text}], **more)


def kinds(messages: Any) -> list[str]:
    return [message.message_type for message in messages]


def texts(messages: Any) -> list[Any]:
    return [message.content for message in messages]


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


def test_input_is_one_message(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Yes."))
    answer: Any = client.agents.messages.create(agent_id=agent, input="Are you there?")
    assert answer.messages[0].content == "Yes."
    assert [message.content for message in listed(client, agent, limit=2)] == ["Are you there?", "Yes."]


def test_parts_are_sent_as_one_text_and_given_back_as_they_came(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Both."))
    parts: Any = [{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}]
    client.agents.messages.create(agent_id=agent, messages=[{"role": "user", "content": parts}])
    assert "part one\npart two" in str(provider.asked[-1].body["messages"][-1]["content"])
    [asked, _] = listed(client, agent, limit=2)
    assert [part.text for part in asked.content] == ["part one", "part two"]


def test_thinking_calls_and_returns_share_their_step(client: Letta, provider: Provider, agent: str) -> None:
    call = {"name": "memory_insert", "arguments": '{"label":"human","new_string":"Likes tea."}'}
    part = delta(tool_calls=[{"index": 0, "id": "call_7", "type": "function", "function": call}])
    provider.will(thinks_then("Worth keeping.", part, delta("tool_calls")), says("Noted."))
    answer = send(client, agent, "I like tea.")
    assert kinds(answer.messages) == ["reasoning_message", "tool_call_message", "tool_return_message", "assistant_message"]
    thought, called, returned, said = answer.messages
    assert thought.id == called.id != returned.id
    assert (thought.otid[-2:], called.otid[-2:]) in (("00", "01"), ("80", "81"))
    assert thought.step_id == called.step_id == returned.step_id != said.step_id
    assert (thought.reasoning, thought.source) == ("Worth keeping.", "reasoner_model")
    assert called.tool_call.tool_call_id == called.tool_calls[0].tool_call_id == returned.tool_call_id == "call_7"
    assert called.tool_call.arguments == '{"label":"human","new_string":"Likes tea."}'
    assert (returned.name, returned.status) == ("memory_insert", "success")
    assert returned.tool_returns[0].tool_return == returned.tool_return
    assert answer.usage.step_count == 2


def test_what_was_answered_is_what_is_listed(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="Likes tea."), says("Noted."))
    answered = send(client, agent, "I like tea.").messages
    kept = listed(client, agent)
    assert kinds(kept) == [
        "system_message", "user_message", "tool_call_message", "tool_return_message", "assistant_message",
    ]  # fmt: skip
    assert [message.to_dict() for message in kept[2:]] == [message.to_dict() for message in answered]


def test_only_the_types_asked_for_come_back(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="Likes tea."), says("Noted."))
    answer = send(client, agent, "I like tea.", include_return_message_types=["assistant_message"])
    assert kinds(answer.messages) == ["assistant_message"]
    assert kinds(listed(client, agent, include_return_message_types=["user_message"])) == ["user_message"]


def test_steps_end_at_their_limit(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="Likes tea."), says("Noted."))
    answer = send(client, agent, "I like tea.", max_steps=1)
    assert (answer.stop_reason.stop_reason, answer.usage.step_count) == ("max_steps", 1)


def test_a_system_message_begins_the_list_and_pages_go_over_it(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("One."), says("Two."))
    send(client, agent, "first")
    send(client, agent, "second")
    whole = listed(client, agent, order="asc")
    assert kinds(whole) == ["system_message", "user_message", "assistant_message", "user_message", "assistant_message"]
    assert "Name: Bo" in whole[0].content
    assert [message.id for message in client.agents.messages.list(agent_id=agent, order="asc", limit=2)] == [
        message.id for message in whole
    ]
    assert texts(client.messages.retrieve(whole[0].id)) == [whole[0].content]
    assert listed(client, agent, after=whole[0].id, limit=1, order="asc")[0].content == "first"


def test_the_newest_are_picked_and_the_oldest_of_them_come_first(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("One."), says("Two."))
    send(client, agent, "first")
    send(client, agent, "second")
    whole = listed(client, agent)
    assert [message.content for message in listed(client, agent, limit=2)] == ["second", "Two."]
    assert [message.content for message in listed(client, agent, limit=1)] == ["Two."]
    since = listed(client, agent, after=whole[1].id)
    assert [message.content for message in since] == ["One.", "second", "Two."]
    assert [message.content for message in listed(client, agent, before=whole[3].id, limit=1)] == ["One."]
    assert listed(client, agent, limit=0) == []


def test_an_unknown_cursor_is_refused(client: Letta, agent: str) -> None:
    for cursor in ("message-11111111-1111-4111-8111-111111111111", "zzz"):
        with pytest.raises(letta_client.NotFoundError):
            listed(client, agent, after=cursor)


def test_a_sender_an_otid_and_a_name_are_given_back(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    message: Any = {"role": "user", "content": "hi", "name": "Bo", "otid": "o-1", "sender_id": "identity-x"}
    client.agents.messages.create(agent_id=agent, messages=[message])
    asked = listed(client, agent, limit=2)[0]
    assert (asked.name, asked.otid, asked.sender_id) == ("Bo", "o-1", "identity-x")


def test_several_messages_go_in_one_request(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Both."))
    both: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}]
    client.agents.messages.create(agent_id=agent, messages=both)
    assert kinds(listed(client, agent, limit=3)) == ["system_message", "user_message", "assistant_message"]


def test_a_run_in_the_background_can_be_looked_at(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Later."))
    run = client.agents.messages.create_async(agent_id=agent, messages=[{"role": "user", "content": "When?"}])
    assert run.id.startswith("run-")
    assert (run.agent_id, run.background, run.status) == (agent, True, "created")
    for _ in client.runs.messages.stream(run.id):
        pass
    assert client.runs.retrieve(run.id).status == "completed"
    assert texts(client.runs.messages.list(run.id)) == ["When?", "Later."]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"messages": []}, 422),
        ({}, 422),
        ({"messages": [{"role": "user", "content": "a"}], "input": "b"}, 422),
        ({"messages": [{"role": "tool", "content": "x"}]}, 422),
        ({"messages": [{"role": "user", "content": None}]}, 422),
        ({"messages": [{"role": "user", "content": ""}]}, 400),
        ({"messages": [{"role": "user", "content": "a"}], "max_steps": "x"}, 422),
        ({"messages": [{"role": "user", "content": "a"}], "max_steps": 10**400}, 422),
        ({"messages": [{"role": "user", "content": "a"}], "stream_tokens": True}, 422),
        ({"messages": [{"role": "user", "content": "a"}], "background": True}, 422),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]}, 400),
        ({"messages": [{"type": "approval", "approvals": [{"tool_call_id": "call_x", "approve": True}]}]}, 400),
        ({"messages": [{"type": "approval"}]}, 422),
        ({"messages": "x"}, 422),
        ([], 422),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(server: Served, agent: str, body: Any, status: int) -> None:
    answer = httpx.post(f"{server.url}/v1/agents/{agent}/messages", json=body, timeout=30)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_an_unknown_agent_is_named(client: Letta) -> None:
    with pytest.raises(letta_client.NotFoundError, match=NOBODY):
        send(client, NOBODY, "hello")
    with pytest.raises(letta_client.NotFoundError, match=NOBODY):
        list(send(client, NOBODY, "hello", streaming=True))


@pytest.mark.parametrize(
    ("given", "status", "kind"),
    [
        (500, 500, "llm_error"),
        (429, 429, "llm_rate_limit"),
        (401, 401, "llm_authentication"),
        (402, 402, "llm_insufficient_credits"),
        (400, 400, "llm_bad_request"),
    ],
)
def test_a_failing_model_server_is_told_in_lettas_words(
    client: Letta, provider: Provider, agent: str, given: int, status: int, kind: str
) -> None:
    provider.will(answers(given, {"error": {"message": "scripted"}}))
    with pytest.raises(letta_client.APIStatusError) as failed:
        send(client, agent, "hello")
    assert failed.value.status_code == status
    assert failed.value.response.json()["error"]["type"] == kind
    assert failed.value.response.headers["x-should-retry"] == "false"


def test_messages_are_never_changed(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    said = send(client, agent, "hello").messages[0]
    changed = httpx.patch(f"{server.url}/v1/agents/{agent}/messages/{said.id}", json={"content": "other"})
    assert changed.status_code == 405


def test_a_reset_empties_the_window_and_keeps_the_list(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Noted."), says("Fresh."))
    send(client, agent, "The word is plum.")
    state = client.agents.messages.reset(agent, add_default_initial_messages=False)
    assert state is not None
    assert state.id == agent
    assert len(listed(client, agent)) == 3
    send(client, agent, "Hello.")
    assert "plum" not in str(provider.asked[-1].body["messages"])


def test_a_compaction_says_what_it_left(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("A summary of it all."))
    for number in range(6):
        send(client, agent, f"Sentence number {number}, which has some length to it, said only to be summarised later. " * 60)
    left = client.agents.messages.compact(agent)
    assert left.num_messages_after < left.num_messages_before
    assert left.summary


def test_nothing_to_cancel_is_a_conflict(client: Letta, agent: str) -> None:
    with pytest.raises(letta_client.ConflictError):
        client.agents.messages.cancel(agent)


def test_a_run_is_cancelled(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("This takes its time.", seconds=0.5))
    run = client.agents.messages.create_async(agent_id=agent, messages=[{"role": "user", "content": "Go."}])
    assert client.agents.messages.cancel(agent) == {run.id: "cancelled"}
    ended = client.runs.retrieve(run.id)
    assert (ended.status, ended.stop_reason) == ("cancelled", "cancelled")


def test_the_words_of_send_message_are_the_agents_own(client: Letta, provider: Provider) -> None:
    agent = client.agents.create(
        name="old", model="openai/m", embedding="openai/e", agent_type="memgpt_v2_agent", include_base_tools=True
    )
    provider.will(calls("send_message", message="Hello, Bo."), says(""))
    answer = send(client, agent.id, "Hi.")
    assert [message.content for message in answer.messages if message.message_type == "assistant_message"] == ["Hello, Bo."]
    assert "tool_return_message" not in kinds(answer.messages)
    plain = listed(client, agent.id, use_assistant_message=False)
    assert kinds(plain)[2:4] == ["tool_call_message", "tool_return_message"]


def test_what_was_said_is_found(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("The dentist is on Tuesday."))
    send(client, agent, "When is the dentist?")
    for mode in ("fts", "hybrid"):
        found: Any = client.messages.search(query="dentist", agent_id=agent, search_mode=mode, limit=5)
        assert "dentist" in str(found[0].content)
        assert found[0].agent_id == agent
    assert client.messages.search(query="zebra crossing", agent_id=agent, search_mode="fts") == []


def test_all_messages_are_listed_the_newest_first(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Newest of all."))
    send(client, agent, "hello")
    newest = client.messages.list(limit=2)
    assert texts(newest) == ["Newest of all.", "hello"]
    assert texts(client.messages.retrieve(newest[0].id)) == ["Newest of all."]
    with pytest.raises(letta_client.NotFoundError):
        client.messages.retrieve("message-11111111-1111-4111-8111-111111111111")
    with pytest.raises(letta_client.UnprocessableEntityError):
        client.messages.retrieve("zzz")
