"""Blocks that an agent makes, renames and takes out of its window, in the step that does it or not at all."""

from __future__ import annotations

import json

import pytest

from pagemind.records import CallRequest, Owner
from pagemind.testing import Bench, call

from .asking import change, returns, said

pytestmark = pytest.mark.anyio


async def labels(chat: Bench) -> list[str]:
    return [block.label for block in await chat.memory.blocks(chat.agent)]


async def memory(chat: Bench, *commands: dict[str, object]) -> list[tuple[str, str]]:
    """Let the agent give these commands, each in a step of its own; status and text of what came back."""
    await change(chat, tools=["memory"])
    lines = [CallRequest(f"c{n}", "memory", json.dumps(each)) for n, each in enumerate(commands)]
    chat.model.will(*lines, "Done.")
    return [(status, text) for _, status, text in returns((await said(chat, "Go."))[1])]


async def test_a_block_is_made_edited_renamed_and_taken_out(chat: Bench) -> None:
    told = await memory(
        chat,
        {"command": "create", "path": "/memories/garden", "file_text": "Roses.", "description": "Plants"},
        {"command": "str_replace", "path": "garden", "old_string": "Roses", "new_string": "Tulips"},
        {"command": "insert", "path": "garden", "insert_text": "Herbs."},
        {"command": "rename", "old_path": "garden", "new_path": "plants"},
        {"command": "view", "path": "plants"},
        {"command": "delete", "path": "human"},
        {"command": "view"},
    )
    assert [status for status, _ in told] == ["ok"] * 7
    assert (told[4][1], told[6][1]) == ("Tulips.\nHerbs.", "persona\nplants")
    assert await labels(chat) == ["persona", "plants"]
    assert await chat.block("plants") == "Tulips.\nHerbs."
    [plants] = [block for block in await chat.memory.blocks(chat.agent) if block.label == "plants"]
    assert (plants.description, plants.owner) == ("Plants", Owner.agent)


async def test_several_commands_in_one_reply_see_each_other(chat: Bench) -> None:
    await change(chat, tools=["memory"])
    chat.model.will(
        [
            call("memory", call_id="a", command="create", path="garden", file_text="Roses."),
            call("memory", call_id="b", command="str_replace", path="garden", old_string="Roses", new_string="Tulips"),
            call("memory", call_id="c", command="delete", path="human"),
            call("memory", call_id="d", command="create", path="human", file_text="Ada"),
        ],
        "Done.",
        "Again.",
    )
    assert [status for _, status, _ in returns((await said(chat, "Go."))[1])] == ["ok"] * 4
    assert (await chat.block("garden"), await chat.block("human")) == ("Tulips.", "Ada")
    await said(chat, "And now?")
    assert not any("memory_notice" in message.content for message in chat.model.prompts[-1].messages[1:])


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ({"command": "create", "path": "human"}, "There is a block 'human' already"),
        ({"command": "create", "path": "a b"}, "give a path of letters"),
        ({"command": "create", "path": "long", "file_text": "x" * 6000}, "would hold 6000 characters"),
        ({"command": "delete", "path": "nothing"}, "There is no block 'nothing'"),
        ({"command": "rename", "old_path": "human", "new_path": "persona"}, "There is a block 'persona' already"),
        ({"command": "rename", "path": "human"}, "give the new path"),
        ({"command": "str_replace", "path": "human", "old_string": "x", "new_string": "y"}, "does not stand"),
        ({"command": "insert", "path": "human"}, "it is empty"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(chat: Bench, command: dict[str, object], hint: str) -> None:
    [(status, text)] = await memory(chat, command)
    assert (status, hint in text) == ("error", True), text
    assert await labels(chat) == ["persona", "human"]


async def test_a_block_that_an_agent_may_not_edit_stays(chat: Bench) -> None:
    async with chat.runtime.kernel.database.transaction() as session:
        [human] = [block for block in await chat.memory.blocks(chat.agent) if block.label == "human"]
        human.read_only = True
        await session.merge(human)
    [(status, _)] = await memory(chat, {"command": "delete", "path": "human"})
    assert status == "error"
    assert await labels(chat) == ["persona", "human"]


async def test_a_search_of_the_conversation_without_words_brings_the_newest_messages(chat: Bench) -> None:
    chat.model.will("One.", "Two.", call("conversation_search", limit=3), "Done.")
    await said(chat, "First.")
    await said(chat, "Second.")
    [(_, status, text)] = returns((await said(chat, "Third."))[1])
    assert (status, [line.split(": ")[1] for line in text.splitlines()]) == ("ok", ["Two.", "Second.", "One."])
