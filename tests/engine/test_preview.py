"""The prompt as it would go out, and its blocks rendered anew before their time."""

from __future__ import annotations

import pytest

from pagemind.engine.preview import preview, recompile
from pagemind.records import Append, StopReason
from pagemind.testing import Bench, call

from .asking import assert_well_formed, history, rules, said

pytestmark = pytest.mark.anyio


async def test_the_preview_is_what_the_next_prompt_begins_with(chat: Bench) -> None:
    chat.model.will("One.", "Two.")
    await said(chat, "First.")
    shown = await preview(chat.runtime.kernel, chat.conversation.id)
    await said(chat, "Second.")
    sent = chat.model.prompts[-1]
    assert sent.messages[: len(shown.messages)] == shown.messages
    assert (sent.tools, len(sent.messages) > len(shown.messages)) == (shown.tools, True)


async def test_a_preview_has_no_call_that_waits(chat: Bench) -> None:
    await rules(chat, {"type": "requires_approval", "tool_name": "conversation_search"})
    chat.model.will(call("conversation_search", query="x"))
    assert (await said(chat, "Go."))[0] == StopReason.requires_approval
    shown = await preview(chat.runtime.kernel, chat.conversation.id)
    assert [message.role for message in shown.messages if message.calls] == []


async def test_a_recompiled_prompt_has_the_newest_blocks_and_no_notice_of_them(chat: Bench) -> None:
    chat.model.will("One.", "Two.")
    await said(chat, "First.")
    await chat.memory.edit(chat.agent, "human", Append("Her name is Ada."), author="user:me")
    text = await recompile(chat.runtime.kernel, chat.conversation.id)
    assert ("You are a test." in text, "Her name is Ada." in text) == (True, True)
    await said(chat, "Second.")
    sent = [message.content for message in chat.model.prompts[-1].messages]
    assert sum("Her name is Ada." in each for each in sent) == 1
    assert_well_formed(await history(chat))
