"""What agents say to each other."""

from __future__ import annotations

import pytest

from pagemind.engine.policy import Limits
from pagemind.records import Agent, Role
from pagemind.testing import Bench, call
from pagemind.testing.runtime import make_agent

from .asking import change, events_of, returns, said

pytestmark = pytest.mark.anyio

ASK, TELL, TELL_ALL = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agent_async",
    "send_message_to_agents_matching_tags",
)


async def other(chat: Bench, name: str = "bob", *tags: str) -> Agent:
    agent = await make_agent(chat.runtime, name, {}, {}, tools=[ASK, TELL, "send_message"])
    async with chat.runtime.kernel.database.transaction() as session:
        fresh = await session.merge(agent)
        fresh.tags = list(tags)
    await change(chat, tools=[ASK, TELL, TELL_ALL])
    return agent


async def heard(chat: Bench, agent: Agent) -> list[tuple[str, str]]:
    messages = await chat.runtime.history(await chat.runtime.main_conversation(agent.id))
    return [(message.role, message.content) for message in messages]


async def test_an_agent_asks_another_and_reads_its_answer(chat: Bench) -> None:
    bob = await other(chat)
    chat.model.will(call(ASK, message="How are you?", other_agent_id=f"agent-{bob.id}"), "I am well.", "Bob is well.")
    assert returns((await said(chat, "How is Bob?"))[1]) == [(ASK, "ok", "I am well.")]
    [(role, text), (_, answer)] = await heard(chat, bob)
    assert (role, answer) == (Role.user, "I am well.")
    assert text == f"[From the agent 'test', agent-{chat.agent.id}]\nHow are you?"


async def test_the_answer_of_an_agent_that_speaks_through_a_tool_is_what_it_sent(chat: Bench) -> None:
    bob = await other(chat)
    sent = [call(ASK, message="Hi.", other_agent_id=str(bob.id)), call("send_message", message="Hi yourself.")]
    chat.model.will(*sent, "Over.", "Done.")
    [(_, _, text)] = returns((await said(chat, "Greet Bob."))[1])
    assert text == "Hi yourself.\nOver."


async def test_an_agent_that_only_tells_does_not_wait(chat: Bench) -> None:
    bob = await other(chat)
    chat.model.will(call(TELL, message="Hi.", other_agent_id=str(bob.id)), "One.", "Two.")
    assert [text for _, _, text in returns((await said(chat, "Greet Bob."))[1])] == ["Sent."]
    [run] = await chat.runtime.runs(agent_id=bob.id)
    await events_of(chat, run)
    assert [role for role, _ in await heard(chat, bob)] == ["user", "assistant"]


async def test_all_agents_with_the_tags_are_asked(chat: Bench) -> None:
    await other(chat, "bob", "team", "x")
    await other(chat, "cy", "team")
    await other(chat, "di", "else")
    chat.model.will(call(TELL_ALL, message="Hi.", match_all=["team"], match_some=[]), "Yes.", "Yes.", "Both.")
    [(_, status, text)] = returns((await said(chat, "Greet the team."))[1])
    assert (status, text.count("Yes."), "di (" in text) == ("ok", 2, False)


@pytest.mark.parametrize(("agent_id", "hint"), [("zzz", "give the id"), ("11111111-1111-4111-8111-111111111111", "no agent")])
async def test_an_agent_that_is_not_there_is_refused(chat: Bench, agent_id: str, hint: str) -> None:
    await other(chat)
    chat.model.will(call(ASK, message="Hi.", other_agent_id=agent_id), "A pity.")
    [(_, status, text)] = returns((await said(chat, "Greet."))[1])
    assert (status, hint in text) == ("error", True)


async def test_a_message_that_was_passed_on_too_often_is_not_passed_on_again(chat: Bench) -> None:
    bob = await other(chat)
    chat.model.will(call(TELL, message="Hi.", other_agent_id=str(bob.id)), "Well.")
    run = await chat.runtime.accept(chat.conversation.id, "Go.", limits=Limits(5, 60, 10_000), extra={"hops": 5})
    [(_, status, text)] = returns(await events_of(chat, run))
    assert (status, "passed on 5 times" in text) == ("error", True)
    assert await chat.runtime.runs(agent_id=bob.id) == []
