"""Tools that the caller of a run brings and runs: the run ends with the call, and the next brings what it gave."""

from __future__ import annotations

import pytest

from pagemind.records import Approval, Json
from pagemind.testing import Bench, call

from .asking import answer, assert_well_formed, history, returns, rules, said, words

pytestmark = pytest.mark.anyio

CLOCK: Json = {
    "name": "local_time",
    "description": "The time where the user is.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
}
ASKS = call("local_time", call_id="t", zone="UTC")
NOTE = call("core_memory_append", call_id="n", label="human", content="Ada")


async def test_a_clients_tool_is_offered_beside_the_agents_own_and_its_call_ends_the_run(chat: Bench) -> None:
    chat.model.will(ASKS)
    reason, _ = await said(chat, "What time is it?", client_tools=(CLOCK,))
    assert reason == "requires_approval"
    assert [tool.name for tool in chat.model.prompts[0].tools][-1] == "local_time"
    assert len(chat.model.prompts[0].tools) == 9
    [asked] = [message for message in await history(chat) if message.needs_approval]
    assert [each["name"] for each in asked.calls or ()] == ["local_time"]


async def test_what_the_client_gives_is_what_the_agent_reads(chat: Bench) -> None:
    chat.model.will(ASKS, "It is noon.")
    await said(chat, "What time is it?", client_tools=(CLOCK,))
    reason, events = await answer(chat, Approval("t", result="12:00"), client_tools=(CLOCK,))
    assert (reason, words(events), returns(events)) == ("end_turn", ["It is noon."], [("local_time", "ok", "12:00")])
    assert_well_formed(await history(chat))


async def test_a_clients_failure_is_one_that_the_agent_reads(chat: Bench) -> None:
    chat.model.will(ASKS, "I do not know.")
    await said(chat, "What time is it?", client_tools=(CLOCK,))
    _, events = await answer(chat, Approval("t", result="No clock\x00.", status="error"))
    assert returns(events) == [("local_time", "error", "No clock.")]


async def test_the_client_may_answer_without_bringing_its_tools_again(chat: Bench) -> None:
    chat.model.will(ASKS, "It is noon.")
    await said(chat, "What time is it?", client_tools=(CLOCK,))
    reason, _ = await answer(chat, Approval("t", result="12:00"))
    assert reason == "end_turn"
    assert "local_time" not in [tool.name for tool in chat.model.prompts[1].tools]


async def test_a_clients_tool_that_was_only_approved_gave_nothing(chat: Bench) -> None:
    chat.model.will(ASKS, "I do not know.")
    await said(chat, "What time is it?", client_tools=(CLOCK,))
    _, events = await answer(chat, Approval("t"), client_tools=(CLOCK,))
    [(_, status, text)] = returns(events)
    assert (status, "gave no result" in text) == ("error", True)
    assert_well_formed(await history(chat))


async def test_a_clients_tool_stands_in_the_place_of_the_agents_own_of_that_name(chat: Bench) -> None:
    chat.model.will(NOTE, "Noted elsewhere.")
    own: Json = {"name": "core_memory_append", "description": "Mine.", "parameters": {"type": "object", "properties": {}}}
    assert (await said(chat, "I am Ada.", client_tools=(own,)))[0] == "requires_approval"
    assert [t.description for t in chat.model.prompts[0].tools if t.name == "core_memory_append"] == ["Mine."]
    await answer(chat, Approval("n", result="kept"), client_tools=(own,))
    assert await chat.block("human") == ""


async def test_calls_of_both_kinds_in_one_reply_have_their_returns_in_order(chat: Bench) -> None:
    chat.model.will([NOTE, ASKS], "Both.")
    await said(chat, "Go.", client_tools=(CLOCK,))
    assert await chat.block("human") == ""
    _, events = await answer(chat, Approval("t", result="12:00"), client_tools=(CLOCK,))
    assert [name for name, _, _ in returns(events)] == ["core_memory_append", "local_time"]
    assert await chat.block("human") == "Ada"
    assert_well_formed(await history(chat))


async def test_a_call_of_a_clients_tool_with_bad_arguments_is_asked_for_again(chat: Bench) -> None:
    chat.model.will(call("local_time", call_id="bad"), ASKS)
    assert (await said(chat, "Go.", client_tools=(CLOCK,)))[0] == "requires_approval"
    assert "'zone' is missing" in chat.model.prompts[1].messages[-1].content


async def test_a_clients_tool_that_a_rule_forbids_now_is_not_asked_for(chat: Bench) -> None:
    await rules(chat, {"type": "parent_last_tool", "tool_name": "conversation_search", "children": ["local_time"]})
    chat.model.will(ASKS, "Well.")
    reason, events = await said(chat, "Go.", client_tools=(CLOCK,))
    assert (reason, [status for _, status, _ in returns(events)]) == ("end_turn", ["error"])


async def test_a_client_that_brings_its_tools_each_time_keeps_the_prefix(chat: Bench) -> None:
    chat.model.will("One.", "Two.")
    await said(chat, "First.", client_tools=(CLOCK,))
    await said(chat, "Second.", client_tools=(CLOCK,))
    first, second = chat.model.prompts
    assert first.tools == second.tools
    assert second.messages[: len(first.messages)] == first.messages
