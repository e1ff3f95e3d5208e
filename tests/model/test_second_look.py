from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.model.second_look import second_look, trailing_calls
from pagemind.records import CallRequest, Completion, Prompt, PromptMessage, ToolSchema

SCHEMA = {
    "type": "object",
    "properties": {
        "content": {"type": "string"},
        "line": {"type": "integer"},
        "tags": {"anyOf": [{"type": "array"}, {"type": "null"}]},
        "label": {"enum": ["human", "persona"]},
    },
}
NOTE, SEARCH = ToolSchema("note", "Note it.", SCHEMA), ToolSchema("archival_memory_search", "Search.", SCHEMA)
TOOLS = (NOTE, SEARCH)
PROMPT = Prompt((PromptMessage("user", "Hi"),), TOOLS)
GIVEN = {"content": "Ada", "line": 3}

# One call of ``note`` with the arguments GIVEN, as each family writes it.
WRITTEN = {
    "hermes": '<tool_call>\n{"name": "note", "arguments": {"content": "Ada", "line": 3}}\n</tool_call>',
    "hermes, cut before its last tag": '<tool_call>\n{"name": "note", "arguments": {"content": "Ada", "line": 3}}',
    "hermes, arguments as text": '<tool_call>{"name": "note", "arguments": "{\\"content\\": \\"Ada\\", \\"line\\": 3}"}</tool_call>',  # noqa: E501
    "qwen coder": "<tool_call>\n<function=note>\n<parameter=content>\nAda\n</parameter>\n<parameter=line>\n3\n</parameter>\n</function>\n</tool_call>",  # noqa: E501
    "qwen coder, bare": "<function=note><parameter=content>Ada</parameter><parameter=line>3</parameter></function>",
    "glm": "<tool_call>note\n<arg_key>content</arg_key>\n<arg_value>Ada</arg_value>\n<arg_key>line</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",  # noqa: E501
    "llama, tagged": '<|python_tag|>{"name": "note", "parameters": {"content": "Ada", "line": 3}}',
    "mistral": '[TOOL_CALLS][{"name": "note", "arguments": {"content": "Ada", "line": 3}, "id": "abcdefghi"}]',
    "mistral, newer": '[TOOL_CALLS]note[ARGS]{"content": "Ada", "line": 3}',
    "mistral, with ids": '[TOOL_CALLS]note[CALL_ID]abcdefghi[ARGS]{"content": "Ada", "line": 3}',
    "deepseek v3": '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>note\n```json\n{"content": "Ada", "line": 3}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',  # noqa: E501
    "deepseek v3.1": '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>note<｜tool▁sep｜>{"content": "Ada", "line": 3}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',  # noqa: E501
    "kimi": '<|tool_calls_section_begin|><|tool_call_begin|>functions.note:0<|tool_call_argument_begin|>{"content": "Ada", "line": 3}<|tool_call_end|><|tool_calls_section_end|>',  # noqa: E501
}
ALONE = {"llama": '{"name": "note", "parameters": {"content": "Ada", "line": 3}}'}


def seen(text: str, **fields: Any) -> Completion:
    return second_look(Completion(text, **fields), PROMPT)


def called(reply: Completion) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, json.loads(call.arguments)) for call in reply.calls]


@pytest.mark.parametrize("text", [*WRITTEN.values(), *ALONE.values()], ids=[*WRITTEN, *ALONE])
def test_each_familys_call_is_found_with_its_arguments(text: str) -> None:
    reply = seen(text + "\n")
    assert called(reply) == [("note", GIVEN)]
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")
    assert reply.calls[0].id


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_text_before_the_call_stays_text(text: str) -> None:
    reply = seen(f"I note that.\n\n{text}")
    assert (reply.text, called(reply)) == ("I note that.", [("note", GIVEN)])


@pytest.mark.parametrize("text", [*WRITTEN.values(), *ALONE.values()], ids=[*WRITTEN, *ALONE])
@pytest.mark.parametrize(
    "around",
    [
        "{}\nThat is how a call looks.",
        "One writes `{}`",
        "For example:\n```\n{}\n```",
        "An example that never ends:\n```\n{}",
        '"{}"',
    ],
)
def test_a_call_that_is_only_talked_about_stays_text(text: str, around: str) -> None:
    said = around.format(text)
    reply = Completion(said)
    assert second_look(reply, PROMPT) is reply


@pytest.mark.parametrize("text", [*WRITTEN.values(), *ALONE.values()], ids=[*WRITTEN, *ALONE])
def test_a_tool_that_was_not_offered_is_not_called(text: str) -> None:
    assert not seen(text.replace("note", "rm_rf")).calls


@pytest.mark.parametrize("text", [*WRITTEN.values(), *ALONE.values()], ids=[*WRITTEN, *ALONE])
def test_a_call_that_was_cut_off_or_forbidden_is_none(text: str) -> None:
    assert not seen(text, finish_reason="length").calls
    assert not second_look(Completion(text), Prompt(PROMPT.messages, TOOLS, tool_choice="none")).calls
    assert not second_look(Completion(text), Prompt(PROMPT.messages)).calls


def test_a_reply_whose_calls_were_parsed_is_left_alone() -> None:
    reply = Completion(WRITTEN["hermes"], calls=(CallRequest("c", "note", "{}"),))
    assert second_look(reply, PROMPT) is reply


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>\n{a}\n</tool_call>\n<tool_call>\n{b}\n</tool_call>",
        "<|python_tag|>{a}; {b}",
        "[TOOL_CALLS][{a}, {b}]",
        "{a};{b}",
    ],
)
def test_several_calls_come_in_their_order(text: str) -> None:
    first = '{"name": "note", "arguments": {"line": 1}}'
    second = '{"name": "archival_memory_search", "arguments": {"content": "x"}}'
    reply = seen(text.replace("{a}", first).replace("{b}", second))
    assert called(reply) == [("note", {"line": 1}), ("archival_memory_search", {"content": "x"})]
    assert len({call.id for call in reply.calls}) == 2


def test_one_call_of_an_unknown_tool_among_others_leaves_all_as_text() -> None:
    assert not seen(f"{WRITTEN['hermes']}\n{WRITTEN['hermes'].replace('note', 'other')}").calls


def test_values_between_tags_have_the_types_of_the_schema() -> None:
    pairs = {"content": "3", "line": "3", "tags": "null", "label": "human", "unknown": "not JSON"}
    tags = "".join(f"<parameter={key}>\n{value}\n</parameter>" for key, value in pairs.items())
    [(_, arguments)] = called(seen(f"<function=note>{tags}</function>"))
    assert arguments == {"content": "3", "line": 3, "tags": None, "label": "human", "unknown": "not JSON"}


def test_line_breaks_within_a_string_are_forgiven() -> None:
    [(_, arguments)] = called(seen('<tool_call>{"name": "note", "arguments": {"content": "a\nb"}}</tool_call>'))
    assert arguments == {"content": "a\nb"}


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "note", "parameters": {}, "why": "an answer in JSON"}',
        '{"name": "note"}',
        '{"name": "note", "parameters": [1]}',
        '{"name": "note", "parameters": {}} {"oops"',
        "[TOOL_CALLS][]",
        "[TOOL_CALLS]",
        "<tool_call></tool_call>",
        "<tool_call>",
        "",
        "[" * 100_000,
        '{"name": "note", "parameters": ' + "[" * 100_000,
        "<tool_call>\n{" * 5_000,
        "<tool_call>note\n<arg_key>" + " " * 100_000,
        "<function=note>" + "<parameter=a>" * 5_000,
    ],
)
def test_what_only_resembles_a_call_stays_text(text: str) -> None:
    reply = Completion(text)
    assert second_look(reply, PROMPT) is reply


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


@given(arguments=ARGUMENTS, name=st.sampled_from([tool.name for tool in TOOLS]), before=st.text(max_size=40))
def test_any_arguments_survive_the_way_through_the_text(arguments: dict[str, Any], name: str, before: str) -> None:
    call = json.dumps({"name": name, "arguments": arguments})
    found = trailing_calls(f"{before.replace('`', '')}\n<tool_call>\n{call}\n</tool_call>", TOOLS)
    assert found is not None
    text, [made] = found
    assert text == before.replace("`", "").rstrip()
    assert (made.name, made.arguments) == (name, arguments)


MARKS = [
    *WRITTEN.values(),
    "<tool_call>",
    "</tool_call>",
    "<function=note>",
    "[TOOL_CALLS]",
    "{",
    "}",
    '"name"',
    "\n",
    "```",
    " ",
]


@given(st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=12).map("".join))
def test_whatever_a_reply_holds_only_offered_tools_are_called_and_only_at_its_end(text: str) -> None:
    found = trailing_calls(text, TOOLS)
    if found is not None:
        before, calls = found
        assert text.startswith(before)
        assert calls
        assert {call.name for call in calls} <= {tool.name for tool in TOOLS}
    assert trailing_calls(f"{text}\nThat is all.", TOOLS) is None
