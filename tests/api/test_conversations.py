"""Conversations beside an agent's main one, through Letta's SDK."""

from __future__ import annotations

from typing import Any

import letta_client
import pytest
from letta_client import Letta

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider

NOWHERE = "conv-11111111-1111-4111-8111-111111111111"


@pytest.fixture
def agent(client: Letta) -> str:
    return client.agents.create(name="ada", model="openai/m", embedding="openai/e").id


def say(client: Letta, conversation: str, text: str, **more: Any) -> list[Any]:
    return list(client.conversations.messages.create(conversation, input=text, **more))


def contents(client: Letta, conversation: str, **asked: Any) -> list[Any]:
    found = client.conversations.messages.list(conversation, **asked).items
    return [getattr(message, "content", message.message_type) for message in found]


def test_a_conversation_is_made_and_found_again(client: Letta, agent: str) -> None:
    made = client.conversations.create(agent_id=agent, summary="first thread")
    assert made.id.startswith("conv-")
    assert (made.agent_id, made.summary, made.archived) == (agent, "first thread", False)
    assert client.conversations.retrieve(made.id).id == made.id
    assert [each.id for each in client.conversations.list(agent_id=agent)] == [made.id]


def test_a_message_is_answered_as_a_stream_by_default(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    provider.will(says("In the thread."))
    kinds = [chunk.message_type for chunk in say(client, made.id, "hello")]
    assert kinds == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
    assert contents(client, made.id)[:2] == ["In the thread.", "hello"]
    assert client.conversations.retrieve(made.id).in_context_message_ids


def test_the_newest_message_stands_first(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    provider.will(says("One."), says("Two."))
    say(client, made.id, "first")
    say(client, made.id, "second")
    assert contents(client, made.id)[:4] == ["Two.", "second", "One.", "first"]
    assert contents(client, made.id, order="asc")[1:] == ["first", "One.", "second", "Two."]
    whole = [message.id for message in client.conversations.messages.list(made.id).items]
    assert [message.id for message in client.conversations.messages.list(made.id, limit=2)] == whole
    assert [message.id for message in client.conversations.messages.list(made.id, before=whole[3], limit=2).items] == whole[1:3]


def test_threads_of_an_agent_do_not_mix(client: Letta, provider: Provider, agent: str) -> None:
    one, other = (client.conversations.create(agent_id=agent).id for _ in range(2))
    provider.will(says("Noted."))
    say(client, one, "The word is plum.")
    say(client, other, "Which word?")
    assert "plum" not in str(provider.asked[-1].body["messages"])
    assert [message.message_type for message in client.agents.messages.list(agent_id=agent).items] == ["system_message"]


def test_the_main_conversation_has_three_names(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("Here."))
    say(client, agent, "one")
    chunks = list(client.conversations.messages.create("default", agent_id=agent, input="two"))
    assert getattr(chunks[1], "content", None) == "Here."
    said = [getattr(message, "content", None) for message in client.agents.messages.list(agent_id=agent).items[1:]]
    assert said == ["one", "Here.", "two", "Here."]
    assert contents(client, "default", agent_id=agent)[0] == "Here."
    with pytest.raises(letta_client.NotFoundError):
        say(client, "default", "nobody in particular")


def test_a_conversation_is_changed_and_archived(client: Letta, agent: str) -> None:
    made = client.conversations.create(agent_id=agent, summary="old")
    assert client.conversations.update(made.id, summary="new", model="openai/other").summary == "new"
    archived = client.conversations.update(made.id, archived=True)
    assert (archived.archived, archived.model) == (True, "openai/other")
    assert client.conversations.list(agent_id=agent) == []
    assert [each.id for each in client.conversations.list(agent_id=agent, archive_status="archived")] == [made.id]


def test_conversations_are_listed_by_pages_and_words(client: Letta, agent: str) -> None:
    made = [client.conversations.create(agent_id=agent, summary=f"thread {number}").id for number in range(3)]
    assert [each.id for each in client.conversations.list(agent_id=agent)] == made[::-1]
    assert [each.id for each in client.conversations.list(agent_id=agent, limit=1, after=made[2])] == [made[1]]
    assert [each.id for each in client.conversations.list(agent_id=agent, summary_search="THREAD 1")] == [made[1]]
    assert [each.id for each in client.conversations.list(agent_id=agent, order="asc", limit=1)] == made[:1]


def test_a_fork_goes_on_by_itself(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    provider.will(calls("memory_insert", label="human", new_string="plum"), says("Noted."), says("Plum."), says("Yes."))
    say(client, made.id, "The word is plum.")
    fork = client.conversations.fork(made.id)
    assert fork.id != made.id
    assert contents(client, fork.id) == contents(client, made.id)
    say(client, fork.id, "Which word?")
    assert "The word is plum." in str(provider.asked[-1].body["messages"])
    assert len(contents(client, made.id)) == 5
    assert len(contents(client, fork.id)) == 7


def test_a_fork_can_begin_earlier(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    provider.will(says("One."), says("Two."))
    say(client, made.id, "first")
    say(client, made.id, "second")
    at = next(m.id for m in client.conversations.messages.list(made.id).items if getattr(m, "content", "") == "One.")
    assert contents(client, client.conversations.fork(made.id, message_id=at).id, order="asc")[1:] == ["first", "One."]


def test_a_deleted_conversation_is_gone(client: Letta, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    client.conversations.delete(made.id)
    for ask in (
        lambda: client.conversations.retrieve(made.id),
        lambda: client.conversations.messages.list(made.id),
        lambda: say(client, made.id, "hello?"),
        lambda: client.conversations.delete(made.id),
    ):
        with pytest.raises(letta_client.NotFoundError):
            ask()


def test_its_prompt_can_be_rendered_and_its_window_compacted(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    assert "memory" in client.conversations.recompile(made.id)
    provider.will(says("Fine."))
    say(client, made.id, "hello")
    left = client.conversations.messages.compact(made.id)
    assert left.num_messages_after <= left.num_messages_before == 3


def test_a_run_of_it_is_cancelled(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    with pytest.raises(letta_client.ConflictError):
        client.conversations.cancel(made.id)
    provider.will(says("one two three four five", seconds=0.3))
    stream = client.conversations.messages.create(made.id, input="count", background=True)
    run = getattr(next(iter(stream)), "run_id", "")
    assert client.conversations.cancel(made.id) == {run: "cancelled"}
    assert client.runs.retrieve(str(run)).status == "cancelled"
    stream.close()


def test_a_second_message_waits_its_turn(client: Letta, provider: Provider, agent: str) -> None:
    made = client.conversations.create(agent_id=agent)
    provider.will(says("one two three", seconds=0.3), says("And four."))
    first = client.conversations.messages.create(made.id, input="count", background=True)
    next(iter(first))
    assert [c.content for c in say(client, made.id, "go on") if c.message_type == "assistant_message"] == ["And four."]
    assert contents(client, made.id, order="asc")[1:] == ["count", "one two three", "go on", "And four."]
    first.close()


def test_what_is_unknown_is_not_found(client: Letta, agent: str) -> None:
    with pytest.raises(letta_client.NotFoundError):
        client.conversations.create(agent_id="agent-11111111-1111-4111-8111-111111111111")
    with pytest.raises(letta_client.UnprocessableEntityError):
        client.conversations.retrieve("zzz")
    for ask in (
        lambda: client.conversations.retrieve(NOWHERE),
        lambda: client.conversations.update(NOWHERE, summary="x"),
        lambda: client.conversations.fork(NOWHERE),
        lambda: say(client, NOWHERE, "hello"),
        lambda: client.conversations.messages.compact(NOWHERE),
    ):
        with pytest.raises(letta_client.NotFoundError):
            ask()
