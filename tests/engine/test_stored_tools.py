"""Tools that are rows: offered by name, checked by their schema, and run outside of this process, at most once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from pagemind.records import Approval, CallRequest, Json, StoredTool
from pagemind.settings import Settings
from pagemind.store import tools
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import HashEmbedder
from pagemind.toolbox.calls import CallResult

from .asking import answer, assert_well_formed, change, history, returns, said

pytestmark = pytest.mark.anyio

PARAMETERS: Json = {
    "type": "object",
    "properties": {"sides": {"type": "integer"}, "how": {"type": "string", "enum": ["fast", "slow"]}},
    "required": ["sides"],
}


class Noting:
    """Runs nothing and keeps what it was asked to run."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Json, dict[str, str]]] = []
        self.result = CallResult("four")

    async def call(
        self, tool: StoredTool, arguments: Mapping[str, Any], *, secrets: Mapping[str, str], timeout_seconds: float
    ) -> CallResult:
        self.calls.append((tool.name, dict(arguments), dict(secrets)))
        return self.result


async def give(chat: Bench, **values: Any) -> StoredTool:
    """Store a tool and give it to the agent."""
    row: Json = {"tenant_id": chat.agent.tenant_id, "id": uuid4(), "name": "roll", "kind": "mcp", "description": "Roll dice."}
    tool = StoredTool.model_validate({**row, "parameters": PARAMETERS, **values})
    async with chat.runtime.kernel.database.transaction() as session:
        await tools.add(session, tool)
    await change(chat, tools=[*chat.agent.tools, tool.name], secrets={"KEY": "value"})
    return tool


@pytest.fixture
def outside(chat: Bench) -> Noting:
    noting = Noting()
    chat.runtime.kernel.outside = noting
    return noting


async def test_a_stored_tool_is_offered_and_runs_outside_with_the_agents_secrets(chat: Bench, outside: Noting) -> None:
    await give(chat)
    chat.model.will(call("roll", sides="6"), "A four.")
    reason, events = await said(chat, "Roll.")
    assert (reason, returns(events)) == ("end_turn", [("roll", "ok", "four")])
    assert outside.calls == [("roll", {"sides": 6}, {"KEY": "value"})]
    shown = chat.model.prompts[0].tools[-1]
    assert (shown.name, shown.description, shown.parameters) == ("roll", "Roll dice.", PARAMETERS)
    assert_well_formed(await history(chat))


async def test_a_failure_outside_is_an_error_that_the_agent_reads(chat: Bench, outside: Noting) -> None:
    await give(chat)
    outside.result = CallResult("no dice", status="error")
    chat.model.will(call("roll", sides=6), "A pity.")
    assert returns((await said(chat, "Roll."))[1]) == [("roll", "error", "no dice")]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [({}, "'sides' is missing"), ({"sides": "x"}, "'sides'"), ({"sides": 1, "how": "so"}, "'fast' or 'slow'")],
)
async def test_arguments_that_do_not_fit_the_schema_never_run(
    chat: Bench, outside: Noting, arguments: dict[str, object], hint: str
) -> None:
    await give(chat)
    chat.model.will(CallRequest("r", "roll", json.dumps(arguments)), "Sorry.")
    await said(chat, "Roll.")
    assert outside.calls == []
    assert hint in chat.model.prompts[1].messages[-1].content


async def test_a_long_result_is_cut_to_the_tools_own_limit(chat: Bench, outside: Noting) -> None:
    await give(chat, result_limit_chars=150)
    outside.result = CallResult("word " * 1000)
    chat.model.will(call("roll", sides=6), "Long.")
    [(_, _, text)] = returns((await said(chat, "Roll."))[1])
    assert len(text) == 150


async def test_a_tool_from_source_does_not_run_unless_the_operator_allows_it(chat: Bench, outside: Noting) -> None:
    await give(chat, kind="source", source="def roll(sides: int): ...")
    chat.model.will(call("roll", sides=6), "A pity.")
    [(_, status, text)] = returns((await said(chat, "Roll."))[1])
    assert (status, "PAGEMIND_ALLOW_TOOL_SOURCE" in text, outside.calls) == ("error", True, [])


async def test_a_tool_from_source_runs_where_the_operator_allows_it(settings: Settings) -> None:
    async with bench(settings.model_copy(update={"allow_tool_source": True}), embedder=HashEmbedder()) as chat:
        chat.runtime.kernel.outside = noting = Noting()
        await give(chat, kind="source", source="def roll(sides: int): ...")
        chat.model.will(call("roll", sides=6), "A four.")
        await said(chat, "Roll.")
    assert [name for name, _, _ in noting.calls] == ["roll"]


async def test_a_stored_tool_may_want_approval_of_its_own(chat: Bench, outside: Noting) -> None:
    await give(chat, needs_approval=True)
    chat.model.will(call("roll", call_id="r", sides=6), "A four.")
    assert (await said(chat, "Roll."))[0] == "requires_approval"
    assert outside.calls == []
    assert (await answer(chat, Approval("r")))[0] == "end_turn"
    assert len(outside.calls) == 1


async def test_a_changed_tool_is_what_the_next_run_sees(chat: Bench, outside: Noting) -> None:
    tool = await give(chat)
    chat.model.will("One.", "Two.")
    await said(chat, "First.")
    async with chat.runtime.kernel.database.transaction() as session:
        fresh = await tools.get(session, tool.id)
        fresh.description = "Roll them."
        await tools.changed(session, fresh)
    await said(chat, "Second.")
    assert [prompt.tools[-1].description for prompt in chat.model.prompts] == ["Roll dice.", "Roll them."]


async def test_a_built_in_tool_keeps_its_name(chat: Bench, outside: Noting) -> None:
    await give(chat, name="conversation_search")
    chat.model.will(call("conversation_search", query="x"), "Nothing.")
    await said(chat, "Go.")
    assert outside.calls == []
