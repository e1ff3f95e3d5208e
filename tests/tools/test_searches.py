from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from pagemind.records import MessageHit
from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.registry import Registry

pytestmark = pytest.mark.anyio
Calling = Callable[..., Coroutine[Any, Any, CallResult]]


def said(seq: int, role: str, content: str) -> MessageHit:
    return MessageHit(uuid4(), seq, role, content, datetime(2023, 5, 8, 13, 56, tzinfo=UTC), 1.0, resident=False)


async def test_what_was_archived_is_found_with_its_date_and_tags(call: Calling, effects: list[str]) -> None:
    stored = await call("archival_memory_insert", content="Porto is by the\nDouro", tags=["travel", " porto ", "travel"])
    assert stored.text == "Archived with the tags travel, porto."
    found = await call("archival_memory_search", query="porto", tags=["travel"])
    assert found.text == "- [2023-05-08] Porto is by the Douro (tags: travel, porto)"
    assert effects == ["archived 21 characters", "1 hit"]


async def test_a_bare_end_date_means_the_end_of_that_day(call: Calling) -> None:
    await call("archival_memory_insert", content="porto")
    found = await call("archival_memory_search", query="porto", start_datetime="2023-05-08", end_datetime="2023-05-08")
    assert found.text == "- [2023-05-08] porto"
    missed = await call("archival_memory_search", query="porto", end_datetime="2023-05-08T11:00+00:00")
    assert missed.text.startswith("Nothing found")


@pytest.mark.parametrize("date", ["yesterday", "08/05/2023", "2023-13-01", "9999-12-31"])
async def test_a_wrong_date_is_refused_with_the_right_form(date: str, call: Calling) -> None:
    result = await call("conversation_search", query="porto", end_date=date)
    assert result.status == "error"
    assert "2024-01-15T14:30" in result.text


async def test_nothing_found_comes_with_what_to_try(call: Calling, effects: list[str]) -> None:
    result = await call("archival_memory_search", query="nothing")
    assert (result.status, effects) == ("ok", ["0 hits"])
    assert "conversation_search" in result.text


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"query": "x" * 1001}, "query"),
        ({"query": " "}, "query"),
        ({"query": "x", "top_k": 0}, "top_k"),
        ({"query": "x", "top_k": 51}, "top_k"),
        ({"query": "x", "tags": [str(n) for n in range(21)]}, "tags"),
        ({"query": "x", "tags": ["t" * 61]}, "tags"),
    ],
)
async def test_inputs_beyond_their_bounds_are_refused_by_name(arguments: dict[str, Any], named: str, call: Calling) -> None:
    result = await call("archival_memory_search", **arguments)
    assert result.status == "error"
    assert f"'{named}'" in result.text


async def test_messages_are_found_with_number_role_and_time(call: Calling, messages: list[MessageHit]) -> None:
    messages += [said(12, "user", "I see the dentist on Tuesday"), said(13, "assistant", "The dentist, noted")]
    everything = await call("conversation_search", query="dentist")
    assert everything.text.splitlines()[0] == "#12 user 2023-05-08 13:56: I see the dentist on Tuesday"
    users = await call("conversation_search", query="dentist", roles=["user"])
    assert len(users.text.splitlines()) == 1


async def test_a_long_message_is_cut(call: Calling, messages: list[MessageHit]) -> None:
    messages.append(said(1, "user", "dentist " + "x" * 5000))
    result = await call("conversation_search", query="dentist")
    assert result.text.endswith("[... 4008 characters more]")


def test_the_shipped_tools_have_the_names_and_arguments_that_letta_has(shipped: Registry) -> None:
    assert shipped.problems == ()
    assert {name: list(shipped[name].schema.parameters["properties"]) for name in shipped} == {
        "core_memory_append": ["label", "content"],
        "core_memory_replace": ["label", "old_content", "new_content"],
        "memory_insert": ["label", "new_string", "insert_line"],
        "memory_replace": ["label", "old_string", "new_string"],
        "memory_rethink": ["label", "new_memory"],
        "archival_memory_insert": ["content", "tags"],
        "archival_memory_search": ["query", "tags", "tag_match_mode", "top_k", "start_datetime", "end_datetime"],
        "conversation_search": ["query", "roles", "limit", "start_date", "end_date"],
        "open_files": ["file_requests", "close_all_others"],
        "grep_files": ["pattern", "include", "context_lines", "offset"],
        "semantic_search_files": ["query", "limit"],
        "memory": [
            "command",
            "path",
            "file_text",
            "description",
            "old_string",
            "new_string",
            "insert_line",
            "insert_text",
            "old_path",
            "new_path",
        ],
        "send_message": ["message"],
        "memory_finish_edits": [],
        "web_search": [
            "query",
            "num_results",
            "category",
            "include_text",
            "include_domains",
            "exclude_domains",
            "start_published_date",
            "end_published_date",
            "user_location",
        ],
        "fetch_webpage": ["url"],
        "run_code": ["code", "language"],
        "run_code_with_tools": ["code"],
        "send_message_to_agent_and_wait_for_reply": ["message", "other_agent_id"],
        "send_message_to_agent_async": ["message", "other_agent_id"],
        "send_message_to_agents_matching_tags": ["message", "match_all", "match_some"],
    }
    assert {name for name in shipped if shipped[name].effect != "transactional"} == {
        "send_message_to_agent_and_wait_for_reply",
        "send_message_to_agent_async",
        "send_message_to_agents_matching_tags",
    }


def test_every_argument_of_a_shipped_tool_is_described_and_no_troublesome_keyword_is_left(shipped: Registry) -> None:
    for name in shipped:
        schema = shipped[name].schema
        assert "Args:" not in schema.description
        for argument in schema.parameters["properties"].values():
            assert argument["description"]
            assert not {"maxLength", "minLength", "pattern", "default", "title", "$ref", "anyOf"} & set(argument)


async def test_a_search_may_demand_all_tags(call: Calling) -> None:
    await call("archival_memory_insert", content="Porto in May.", tags=["travel", "porto"])
    await call("archival_memory_insert", content="Rome in May.", tags=["travel"])
    found = await call("archival_memory_search", query="in May.", tags=["travel", "porto"])
    both = await call("archival_memory_search", query="in May.", tags=["travel", "porto"], tag_match_mode="all")
    assert (len(found.text.splitlines()), both.text.count("Porto"), both.text.count("Rome")) == (2, 1, 0)
