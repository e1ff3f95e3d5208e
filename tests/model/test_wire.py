from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.errors import ReplyTooLong
from pagemind.model.reply import ReplyReader
from pagemind.model.wire import Dialect, chat_messages, plain_schema, request_body
from pagemind.records import CallPiece, CallRequest, Prompt, PromptMessage, ReasoningPiece, TextPiece, ToolSchema

NAMES = st.sampled_from(["core_memory_append", "archival_memory_search", "note"])
ARGUMENTS = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=3).map(
    lambda given: json.dumps(given, ensure_ascii=False)
)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    """The text cut at these places."""
    at = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(at)]


def chunk(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"delta": fields, "finish_reason": None}]}


END: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
CUTS = st.lists(st.integers(0, 200), max_size=8)


@given(text=st.text(max_size=200), thought=st.text(max_size=100), cuts=CUTS)
def test_text_and_thinking_survive_any_chunking(text: str, thought: str, cuts: list[int]) -> None:
    reader = ReplyReader(1000)
    chunks = [chunk(reasoning=part) for part in pieces_of(thought, cuts)] + [
        chunk(content=part) for part in pieces_of(text, cuts)
    ]
    came = [piece for part in (*chunks, END) for piece in reader.read(part)]
    assert "".join(piece.text for piece in came if isinstance(piece, TextPiece)) == text == reader.completion().text
    assert (
        "".join(piece.text for piece in came if isinstance(piece, ReasoningPiece)) == thought == reader.completion().reasoning
    )


@given(calls=st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=4), cuts=CUTS, indexed=st.booleans())
def test_calls_survive_any_chunking(calls: list[tuple[str, str]], cuts: list[int], indexed: bool) -> None:
    reader = ReplyReader(100_000)
    announced: list[str] = []
    for at, (name, arguments) in enumerate(calls):
        place = {"index": at} if indexed else {}
        head = chunk(tool_calls=[{**place, "id": f"c{at}", "function": {"name": name}}])
        parts = [chunk(tool_calls=[{**place, "function": {"arguments": part}}]) for part in pieces_of(arguments, cuts)]
        for part in (head, *parts):
            announced += [piece.name for piece in reader.read(part) if isinstance(piece, CallPiece)]
    announced += [piece.name for piece in reader.read(END) if isinstance(piece, CallPiece)]
    made = reader.completion().calls
    assert [(call.id, call.name, call.arguments) for call in made] == [(f"c{at}", *call) for at, call in enumerate(calls)]
    assert announced == [name for name, _ in calls]


@given(junk=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "delta", "tool_calls", "function", "index", "id", "usage", "content", "arguments", "name", "finish_reason"]), inner, max_size=4), max_leaves=20))  # fmt: skip  # noqa: E501
def test_no_chunk_breaks_the_reader(junk: object) -> None:
    reader = ReplyReader(1000)
    list(reader.read(junk))
    list(reader.read({"choices": [{"delta": junk}]}))
    list(reader.read({"choices": [{"delta": {"tool_calls": junk}}]}))
    reader.completion()


def test_one_index_with_two_ids_is_two_calls() -> None:
    reader = ReplyReader(1000)
    for call_id in ("a", "b"):
        list(reader.read(chunk(tool_calls=[{"index": 0, "id": call_id, "function": {"name": "note", "arguments": "{}"}}])))
    assert [call.id for call in reader.completion().calls] == ["a", "b"]


def test_text_thinking_and_arguments_share_one_limit() -> None:
    reader = ReplyReader(10)
    list(reader.read(chunk(content="12345", reasoning="123")))
    with pytest.raises(ReplyTooLong):
        list(reader.read(chunk(tool_calls=[{"index": 0, "function": {"name": "x", "arguments": "12"}}])))


def test_arguments_come_back_as_the_model_wrote_them() -> None:
    written = '{"b": 1,   "a": "ä"}'
    message = PromptMessage("assistant", "", calls=(CallRequest("i", "note", written), CallRequest("j", "note", "{oops")))
    [sent] = chat_messages([message])
    assert sent["tool_calls"][0]["function"]["arguments"] == written
    assert json.loads(sent["tool_calls"][1]["function"]["arguments"]) == {"malformed_arguments": "{oops"}


def test_users_in_a_row_become_one_only_where_the_server_wants_it() -> None:
    said = [PromptMessage("system", "s"), PromptMessage("user", "a"), PromptMessage("user", "b")]
    assert [message["content"] for message in chat_messages(said)] == ["s", "a", "b"]
    assert [message["content"] for message in chat_messages(said, Dialect(merges_users=True))] == ["s", "a\n\nb"]


def test_thinking_goes_back_only_where_a_field_is_named() -> None:
    message = PromptMessage("assistant", "x", reasoning="hm")
    assert chat_messages([message]) == [{"content": "x", "role": "assistant"}]
    assert chat_messages([message], Dialect(reasoning_field="reasoning_content"))[0]["reasoning_content"] == "hm"


def test_the_same_prompt_is_the_same_bytes_and_its_prefix_stays() -> None:
    tool = ToolSchema("note", "Note.", {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}})
    short = Prompt((PromptMessage("system", "s"), PromptMessage("user", "a")), (tool,))
    longer = Prompt((*short.messages, PromptMessage("assistant", "b"), PromptMessage("user", "c")), (tool,))
    assert json.dumps(request_body(short, "m")) == json.dumps(request_body(short, "m"))
    head = json.dumps(request_body(short, "m")["messages"])[:-1]
    assert json.dumps(request_body(longer, "m")["messages"]).startswith(head)


def test_schemas_lose_lengths_and_patterns_but_not_properties_called_so() -> None:
    schema = {"properties": {"pattern": {"type": "string", "pattern": "x", "maxLength": 3}}, "required": ["pattern"]}
    assert plain_schema(schema) == {"properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
