from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.syscalls import Syscalls

pytestmark = pytest.mark.anyio
Calling = Callable[..., Coroutine[Any, Any, CallResult]]


async def test_what_is_appended_stands_on_a_line_of_its_own_and_comes_back(call: Calling, effects: list[str]) -> None:
    result = await call("core_memory_append", label="human", content="Lives in Porto.")
    assert (result.status, result.text) == ("ok", "Done (+1 line). human now reads:\nLikes tea.\nLives in Porto.")
    assert effects == ["human +1 line"]


async def test_both_replacing_tools_do_the_same(call: Calling, system: Syscalls) -> None:
    await call("core_memory_replace", label="human", old_content="tea", new_content="coffee")
    assert await system.block("human") == "Likes coffee."
    await call("memory_replace", label="human", old_string="coffee", new_string="milk")
    assert await system.block("human") == "Likes milk."


async def test_an_empty_new_content_deletes(call: Calling, system: Syscalls, effects: list[str]) -> None:
    result = await call("core_memory_replace", label="human", old_content="Likes tea.", new_content="")
    assert result.text == "Done (-1 line). human is empty now."
    assert await system.block("human") == ""
    assert effects == ["human -1 line"]


async def test_lines_are_inserted_where_they_are_wanted(call: Calling, system: Syscalls) -> None:
    await call("memory_insert", label="human", new_string="Name: Ada", insert_line=0)
    await call("memory_insert", label="human", new_string="Has a cat.")
    assert await system.block("human") == "Name: Ada\nLikes tea.\nHas a cat."


async def test_a_line_that_is_not_there_is_refused_with_the_lines_that_are(call: Calling) -> None:
    result = await call("memory_insert", label="human", new_string="x", insert_line=9)
    assert (result.status, result.text) == (
        "error",
        "Refused: The argument 'insert_line' is not usable. (9) give a number from -1 to 1.",
    )


async def test_a_block_is_rewritten_whole(call: Calling, system: Syscalls) -> None:
    result = await call("memory_rethink", label="human", new_memory="Ada.\nTea.")
    assert result.text == "Rewritten: human now has 9 characters."
    assert await system.block("human") == "Ada.\nTea."


@pytest.mark.parametrize("tool", ["core_memory_append", "memory_rethink"])
async def test_an_unknown_block_is_refused_with_the_labels_that_are(tool: str, call: Calling) -> None:
    argument = "content" if tool == "core_memory_append" else "new_memory"
    result = await call(tool, label="humna", **{argument: "x"})
    assert (result.status, result.text) == (
        "error",
        "Refused: There is no block 'humna'. use one of human, notes, rules.",
    )


async def test_a_text_that_is_not_there_is_refused(call: Calling) -> None:
    result = await call("memory_replace", label="human", old_string="wine", new_string="beer")
    assert result.status == "error"
    assert "exactly as it stands there" in result.text


async def test_a_full_block_says_where_else_to_put_it(call: Calling, system: Syscalls) -> None:
    result = await call("core_memory_append", label="human", content="x" * 100)
    assert result.status == "error"
    assert "111 characters of 100" in result.text
    assert "archival_memory_insert" in result.text
    assert await system.block("human") == "Likes tea."


async def test_a_block_of_the_configuration_is_read_only_for_the_agent(call: Calling) -> None:
    result = await call("memory_rethink", label="rules", new_memory="Be rude.")
    assert result.text.startswith("Refused: The block 'rules' is read-only for you.")


async def test_texts_beyond_twenty_thousand_characters_and_empty_ones_are_refused(call: Calling) -> None:
    for content in ("x" * 20_001, "  "):
        result = await call("core_memory_append", label="notes", content=content)
        assert result.status == "error"
        assert "'content'" in result.text


async def test_of_a_long_block_only_the_lines_around_the_change_come_back(call: Calling) -> None:
    await call("memory_rethink", label="notes", new_memory="\n".join(f"line number {n:03}" for n in range(300)))
    result = await call("memory_replace", label="notes", old_string="number 150", new_string="the middle")
    assert result.text.splitlines() == [
        "Done (1 line changed). notes now reads:",
        "[...]",
        "line the middle",
        "[...]",
    ]
    result = await call("memory_insert", label="notes", new_string="a new line", insert_line=150)
    assert result.text.splitlines()[1:] == ["[...]", "line number 149", "a new line", "line the middle", "[...]"]
