"""The chat templates of the Qwen family: what was printed once is never printed otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pagemind.settings import content_folder

Json = dict[str, Any]
NAMES = ("qwen.jinja", "qwen-xml.jinja")
TOOLS: list[Json] = [{"type": "function", "function": {"name": "note", "parameters": {"type": "object", "properties": {}}}}]


def tojson(value: object, **options: Any) -> str:
    """As transformers prints JSON in templates: keys in their order, no character escaped."""
    return json.dumps(value, ensure_ascii=False, **options)


def template(name: str) -> Any:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = tojson
    return environment.from_string((content_folder() / "prompts" / "chat" / name).read_text())


TEMPLATES = {name: template(name) for name in NAMES}


def printed(name: str, messages: list[Json], *, opens_reply: bool = False, **options: Any) -> str:
    return TEMPLATES[name].render(messages=messages, add_generation_prompt=opens_reply, **options)


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def system(text: str) -> Json:
    return {"role": "system", "content": text}


def returned(text: str) -> Json:
    return {"role": "tool", "content": text, "tool_call_id": "1"}


def call(given_arguments: Json) -> Json:
    return {"type": "function", "function": {"name": "note", "arguments": given_arguments}}


def said(text: str | None, thought: str | None, made: list[Json]) -> Json:
    return {"role": "assistant", "content": text, "reasoning": thought, "tool_calls": made}


def conversation(first: list[Json], rest: list[Json]) -> list[Json]:
    return [*first, *rest]


def with_options(tools: list[Json] | None, thinks: bool | None) -> Json:
    return {"tools": tools} | ({} if thinks is None else {"enable_thinking": thinks})


texts = st.text(st.sampled_from("ab ä\n<>{}\"'/"), max_size=12)
arguments = st.dictionaries(st.sampled_from(["a", "b"]), texts | st.integers() | st.lists(texts, max_size=2), max_size=2)
replies = st.builds(said, texts | st.none(), texts | st.none(), st.lists(st.builds(call, arguments), max_size=3))
messages_ = st.builds(user, texts) | replies | st.builds(returned, texts) | st.builds(system, texts)
conversations = st.builds(
    conversation, st.lists(st.builds(system, texts), max_size=1), st.lists(messages_, min_size=1, max_size=8)
)
options = st.builds(with_options, st.sampled_from([None, TOOLS]), st.sampled_from([None, True, False]))


@pytest.mark.parametrize("name", NAMES)
@given(messages=conversations, given_options=options, data=st.data())
def test_each_prompt_begins_with_every_one_before_it(
    name: str, messages: list[Json], given_options: Json, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(messages)))
    whole = printed(name, messages, **given_options)
    assert whole.startswith(printed(name, messages[:count], **given_options))


@pytest.mark.parametrize("name", NAMES)
@given(messages=conversations, reply=replies, given_options=options)
def test_a_prompt_that_was_answered_begins_the_next_one(
    name: str, messages: list[Json], reply: Json, given_options: Json
) -> None:
    asked = printed(name, messages, opens_reply=True, **given_options)
    if given_options.get("enable_thinking") is False:
        reply = reply | {"reasoning": None}
    assert printed(name, [*messages, reply], **given_options).startswith(asked)


WRITTEN: list[tuple[str, Json]] = [
    ("Hello.", {"content": "Hello."}),
    ("<think>\nHm.\n</think>\n\nHello.", {"content": "Hello.", "reasoning": "Hm."}),
    ("<think>\nHm.\n</think>\n\nHello.", {"content": "\n\nHello.", "reasoning": "\nHm.\n"}),
    (
        'Yes.\n<tool_call>\n{"name": "note", "arguments": {"text": "é", "n": 1}}\n</tool_call>',
        {"content": "Yes.\n", "tool_calls": [{"function": {"name": "note", "arguments": {"text": "é", "n": 1}}}]},
    ),
    (
        '<tool_call>\n{"name": "a", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "b", "arguments": {}}\n</tool_call>',
        {"content": None, "tool_calls": [{"function": {"name": n, "arguments": {}}} for n in ("a", "b")]},
    ),
]


@pytest.mark.parametrize(("generated", "reply"), WRITTEN)
def test_a_reply_is_printed_as_the_model_wrote_it(generated: str, reply: Json) -> None:
    messages: list[Json] = [{"role": "user", "content": "Hi."}]
    asked = printed("qwen.jinja", messages, opens_reply=True)
    assert printed("qwen.jinja", [*messages, {"role": "assistant"} | reply]) == f"{asked}{generated}<|im_end|>\n"


def test_calls_in_xml_are_printed_as_the_model_writes_them() -> None:
    made = call({"text": "a\nb", "tags": ["x"], "n": 1})
    assert printed("qwen-xml.jinja", [said("", None, [made])]) == (
        "<|im_start|>assistant\n<tool_call>\n<function=note>\n<parameter=text>\na\nb\n</parameter>\n"
        '<parameter=tags>\n["x"]\n</parameter>\n<parameter=n>\n1\n</parameter>\n</function>\n</tool_call><|im_end|>\n'
    )


@pytest.mark.parametrize("name", NAMES)
def test_returns_in_a_row_share_one_turn(name: str) -> None:
    told = [returned(text) for text in ("one", "two")]
    assert printed(name, told, opens_reply=True) == (
        "<|im_start|>user\n<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_system_and_tools_stand_first_each_tool_a_line_of_json(name: str) -> None:
    messages = [system("Be kind."), user("Hi.")]
    shown = printed(name, messages, tools=TOOLS)
    assert shown.startswith("<|im_start|>system\nBe kind.\n\n# Tools\n")
    assert f"<tools>\n{json.dumps(TOOLS[0])}\n</tools>" in shown
    assert shown.endswith("<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n")
