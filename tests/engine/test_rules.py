"""Tool rules: which tools may be called when, and when a run may end."""

from __future__ import annotations

from typing import Any

import pytest

from pagemind.engine.policy import Limits
from pagemind.memory.rules import Called, allowed_now, ends, missing, parse_rule, parse_rules, with_args
from pagemind.testing import Bench, call

from .asking import assert_well_formed, change, history, returns, rules, said, words

pytestmark = pytest.mark.anyio

TOOLS = ("a", "b", "c")


def rule(kind: str, tool_name: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": kind, "tool_name": tool_name, **more}


def may(given: list[dict[str, Any]], *called: str | Called) -> tuple[set[str], bool]:
    so_far = [each if isinstance(each, Called) else Called(each, "ok") for each in called]
    found = allowed_now(parse_rules(given), TOOLS, so_far)
    return set(found.tools), found.must_call


# --- the rules alone ---------------------------------------------------------------------------------------------------


def test_without_rules_everything_may_be_called() -> None:
    assert may([], "a") == ({"a", "b", "c"}, False)


def test_only_a_tool_to_be_run_first_may_be_called_first() -> None:
    assert may([rule("run_first"), rule("run_first", "b")]) == ({"a", "b"}, True)
    assert may([rule("run_first")], "a") == ({"a", "b", "c"}, False)


def test_a_tool_to_be_run_first_that_the_agent_lacks_binds_nothing() -> None:
    assert may([rule("run_first", "zzz")]) == ({"a", "b", "c"}, False)


def test_children_come_right_after_their_parent_and_elsewhere_freely() -> None:
    given = [rule("constrain_child_tools", children=["b"])]
    assert may(given) == ({"a", "b", "c"}, False)
    assert may(given, "a") == ({"b"}, True)
    assert may(given, "a", "b") == ({"a", "b", "c"}, False)


def test_children_of_a_parent_that_must_be_last_come_at_no_other_time() -> None:
    given = [rule("parent_last_tool", children=["b"])]
    assert may(given) == ({"a", "c"}, False)
    assert may(given, "a") == ({"b"}, True)
    assert may(given, "a", "c") == ({"a", "c"}, False)


@pytest.mark.parametrize(
    ("result", "default", "strict", "expected"),
    [
        ("yes", None, False, {"b"}),
        (" yes ", None, False, {"b"}),
        ("TRUE", None, False, {"c"}),
        ("7.0", None, False, {"a"}),
        ("else", None, False, {"a", "b", "c"}),
        ("else", "c", False, {"c"}),
        ("else", "c", True, set[str]()),
    ],
)
def test_a_result_leads_to_the_next_tool(result: str, default: str | None, strict: bool, expected: set[str]) -> None:
    mapping = {"yes": "b", "true": "c", "7": "a"}
    given = [rule("conditional", child_output_mapping=mapping, default_child=default, require_output_mapping=strict)]
    assert may(given, Called("a", result)) == (expected, bool(expected))


def test_a_tool_is_called_so_often_and_no_more() -> None:
    given = [rule("max_count_per_step", max_count_limit=2)]
    assert may(given, "a", "b")[0] == {"a", "b", "c"}
    assert may(given, "a", "b", "a")[0] == {"b", "c"}


def test_rules_that_leave_nothing_do_not_demand_a_call() -> None:
    given = [rule("constrain_child_tools", children=["b"]), rule("max_count_per_step", "b", max_count_limit=1)]
    assert may(given, "b", "a") == (set(), False)


def test_what_must_be_called_is_missing_until_it_was() -> None:
    given = parse_rules([rule("required_before_exit", "b"), rule("required_before_exit", "zzz")])
    assert missing(given, TOOLS, []) == ["b"]
    assert missing(given, TOOLS, [Called("b")]) == []


def test_a_terminal_tool_ends_the_run_unless_another_is_still_missing() -> None:
    given = parse_rules([rule("exit_loop"), rule("required_before_exit", "b")])
    assert not ends(given, TOOLS, [Called("a")], ["a"])
    assert ends(given, TOOLS, [Called("b"), Called("a")], ["a"])
    assert not ends(given, TOOLS, [Called("b")], ["b"])


def test_arguments_that_a_rule_gives_take_the_place_of_the_models() -> None:
    nodes = [{"name": "b", "args": {"n": 1}}]
    given = [rule("run_first", args={"q": "x"}), rule("constrain_child_tools", children=["b"], child_arg_nodes=nodes)]
    assert allowed_now(parse_rules(given), TOOLS, []).args == {"a": {"q": "x"}}
    assert allowed_now(parse_rules(given), TOOLS, [Called("a")]).args == {"b": {"n": 1}}
    assert with_args('{"q": "y", "z": 2}', {"q": "x"}) == '{"q": "x", "z": 2}'
    assert with_args("not json", {"q": "x"}) == "not json"


def test_a_rule_of_an_unknown_type_is_refused_and_does_not_stop_an_agent() -> None:
    with pytest.raises(ValueError, match="no tool rule of the type 'zzz'"):
        parse_rule(rule("zzz"))
    with pytest.raises(ValueError, match="children"):
        parse_rule(rule("constrain_child_tools"))
    assert [each.type for each in parse_rules([rule("zzz"), rule("exit_loop", prompt_template=None)])] == ["exit_loop"]


# --- runs --------------------------------------------------------------------------------------------------------------

NOTE = call("core_memory_append", label="human", content="Ada")
LOOK = call("conversation_search", query="Ada")


async def test_a_terminal_tool_ends_the_run(chat: Bench) -> None:
    await rules(chat, rule("exit_loop", "core_memory_append"))
    chat.model.will(NOTE, "never")
    assert (await said(chat, "I am Ada."))[0] == "tool_rule"
    assert (await chat.block("human"), chat.model.left) == ("Ada", 1)
    assert_well_formed(await history(chat))


async def test_a_call_against_a_rule_is_answered_with_what_may_be_called(chat: Bench) -> None:
    await rules(chat, rule("constrain_child_tools", "conversation_search", children=["core_memory_append"]))
    chat.model.will(LOOK, call("archival_memory_search", query="x"), NOTE, "Done.")
    reason, events = await said(chat, "Go.")
    assert reason == "end_turn"
    (_, _, _), (name, status, text), (noted, ok, _) = returns(events)
    assert (name, status, noted, ok) == ("archival_memory_search", "error", "core_memory_append", "ok")
    assert "You may call: core_memory_append." in text
    assert_well_formed(await history(chat))


async def test_a_tool_that_has_to_come_first_is_demanded_of_the_model(chat: Bench) -> None:
    await rules(chat, rule("run_first", "conversation_search", args={"query": "given"}))
    chat.model.will(call("conversation_search"), "Done.")
    assert (await said(chat, "Go."))[0] == "end_turn"
    first, second = chat.model.prompts
    assert (first.tool_choice, first.only_tool) == ("required", "conversation_search")
    assert (second.tool_choice, second.only_tool) == ("auto", None)
    assert first.tools == second.tools
    calls = [each for message in await history(chat) for each in message.calls or ()]
    assert [each["arguments"] for each in calls] == ['{"query": "given"}']


async def test_a_reply_in_words_ends_the_run_even_where_a_call_was_wanted(chat: Bench) -> None:
    await rules(chat, rule("run_first", "conversation_search"))
    chat.model.will("I rather talk.")
    reason, events = await said(chat, "Go.")
    assert (reason, words(events)) == ("end_turn", ["I rather talk."])


async def test_the_run_does_not_end_before_a_required_tool_was_called(chat: Bench) -> None:
    await rules(chat, rule("required_before_exit", "core_memory_append"))
    chat.model.will("Early.", NOTE, "Late.")
    reason, events = await said(chat, "Go.")
    assert (reason, words(events)) == ("end_turn", ["Early.", "Late."])
    told = chat.model.prompts[1]
    assert "you must call: core_memory_append" in told.messages[-1].content
    assert (told.tool_choice, told.only_tool) == ("required", "core_memory_append")
    assert_well_formed(await history(chat))


async def test_a_model_that_never_calls_the_required_tool_is_asked_as_often_as_the_run_has_steps(chat: Bench) -> None:
    await rules(chat, rule("required_before_exit", "core_memory_append"))
    chat.model.will("No.", "No!", "Never.")
    run = await chat.runtime.accept(chat.conversation.id, "Go.", limits=Limits(3, 60, 100_000))
    *_, last = [event async for event in chat.runtime.follow(run.id)]
    assert (getattr(last, "stop_reason", ""), getattr(last, "steps", 0)) == ("end_turn", 3)


async def test_a_count_is_of_one_run(chat: Bench) -> None:
    await rules(chat, rule("max_count_per_step", "conversation_search", max_count_limit=1))
    chat.model.will(LOOK, call("conversation_search", query="b"), "One.", call("conversation_search", query="c"), "Two.")
    first, second = (await said(chat, "Go."))[1], (await said(chat, "Again."))[1]
    assert [status for _, status, _ in returns(first)] == ["ok", "error"]
    assert [status for _, status, _ in returns(second)] == ["ok"]


async def test_several_calls_of_one_reply_are_ruled_one_after_the_other(chat: Bench) -> None:
    await rules(chat, rule("max_count_per_step", "core_memory_append", max_count_limit=1))
    chat.model.will([NOTE, call("core_memory_append", label="human", content="Bob")], "Done.")
    _, events = await said(chat, "Go.")
    assert [status for _, status, _ in returns(events)] == ["ok", "error"]
    assert await chat.block("human") == "Ada"


async def test_where_no_result_fits_a_strict_condition_the_agent_has_to_answer(chat: Bench) -> None:
    mapping = {"x": "core_memory_append"}
    await rules(chat, rule("conditional", "conversation_search", child_output_mapping=mapping, require_output_mapping=True))
    chat.model.will(LOOK, "Nothing there.")
    assert (await said(chat, "Go."))[0] == "end_turn"
    assert chat.model.prompts[1].tool_choice == "none"


async def test_instructions_and_model_of_one_run_are_gone_with_it(chat: Bench) -> None:
    chat.model.will("One.", "Two.")
    await said(chat, "Hello.", instructions="Speak Latin.", model={"temperature": 0.5, "max_reply_tokens": 64})
    await said(chat, "And now?")
    first, second = chat.model.prompts
    assert ("Speak Latin." in first.messages[0].content, first.temperature, first.max_reply_tokens) == (True, 0.5, 64)
    assert ("You are a test." in second.messages[0].content, second.temperature) == (True, None)


async def test_what_the_model_section_says_of_calls_and_form_reaches_the_prompt(chat: Bench) -> None:
    await change(chat, model={"parallel_calls": False, "response_format": {"type": "json_object"}})
    chat.model.will("{}")
    await said(chat, "Hello.")
    [prompt] = chat.model.prompts
    assert (prompt.parallel_calls, prompt.response_format) == (False, {"type": "json_object"})
