"""``/v1/agents/{id}/context`` and ``/recompile``: what stands in an agent's window, and its prompt rendered anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, wire_id
from pagemind.api.letta.agent_state import known_agent
from pagemind.api.letta.agent_tools import shown_tools
from pagemind.api.times import stamp
from pagemind.engine.context import ContextReport
from pagemind.records import Agent, Block, Json, Message
from pagemind.store import blocks, conversations, snapshots

router = APIRouter(tags=["agents"])


@router.get("/v1/agents/{agent_id}/context")
async def context_window(here: Caller, agent_id: AgentId) -> dict[str, Any]:
    """What stands in the window of the agent's main conversation, part by part, in tokens."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        conversation = await conversations.main_of(session, agent)
        tools = await shown_tools(session, here.runtime.kernel, agent.tools)
    report = await here.runtime.context(conversation.id)
    return overview(here, report, [tools[name]["json_schema"] for name in agent.tools if name in tools])


@router.post("/v1/agents/{agent_id}/recompile")
async def recompile(here: Caller, agent_id: AgentId, dry_run: bool = False) -> JSONResponse:
    """The agent's system prompt with its blocks as they are now, as one JSON string.

    Its conversations go on with it, but for those that a run is at; with ``dry_run`` none does.
    """
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        its_blocks = await blocks.of_agent(session, agent.id)
        if not dry_run:
            await snapshots.forget(session, [agent.id])
    return JSONResponse(rendered(here, agent, its_blocks))


def rendered(here: Here, agent: Agent, its_blocks: list[Block]) -> str:
    """The static text and the blocks, as the model reads them."""
    prose = here.runtime.kernel.prose
    return "\n\n".join(part for part in (prose.system(agent.instructions), prose.blocks(its_blocks)) if part)


def overview(here: Here, report: ContextReport, schemas: Sequence[Json]) -> Json:
    """The report with Letta's keys. What Letta keeps apart and we do not is empty, and counted where it stands."""
    agent, segments, kernel = report.agent, report.segments, here.runtime.kernel
    return {
        "context_window_size_max": report.window_tokens,
        "context_window_size_current": segments.used,
        "num_messages": len(report.resident),
        "num_archival_memory": report.passages,
        "num_recall_memory": report.messages_total,
        "num_tokens_external_memory_summary": 0,
        "external_memory_summary": about(report),
        "num_tokens_system": segments.system,
        "system_prompt": kernel.prose.system(agent.instructions),
        "num_tokens_core_memory": segments.blocks,
        "core_memory": report.conversation.snapshot or kernel.prose.blocks(report.blocks),
        "num_tokens_memory_filesystem": 0,
        "memory_filesystem": None,
        "num_tokens_tool_usage_rules": 0,
        "tool_usage_rules": None,
        "num_tokens_directories": 0,
        "directories": None,
        "num_tokens_summary_memory": segments.summary,
        "summary_memory": report.conversation.summary or None,
        "num_tokens_functions_definitions": segments.tools,
        "functions_definitions": [{"type": "function", "function": {**schema, "strict": None}} for schema in schemas],
        "num_tokens_messages": segments.messages,
        "messages": [message_json(agent, message) for message in report.resident],
    }


def about(report: ContextReport) -> str:
    """What is out of the window, in words."""
    return f"{report.messages_out} messages are paged out, {report.passages} passages are in the archive."


def message_json(agent: Agent, message: Message) -> Json:
    """A resident message in Letta's inner form."""
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in message.calls or ()
    ]
    return {
        "id": wire_id("message", message.id),
        "agent_id": wire_id("agent", agent.id),
        "role": message.role,
        "content": [{"type": "text", "text": message.content}],
        "name": message.name,
        "model": None,
        "tool_calls": calls or None,
        "tool_call_id": message.call_id,
        "step_id": None if message.step_id is None else wire_id("step", message.step_id),
        "run_id": None if message.run_id is None else wire_id("run", message.run_id),
        "otid": message.otid,
        "sender_id": message.sender,
        "created_at": stamp(message.created_at),
        "updated_at": None,
    }
