"""``/v1/agents/{agent_id}/tools``: what an agent may call, and calls without its model."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Path, Query

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, ToolId, wire_id
from pagemind.api.letta.tool_bodies import ApprovalWish, ToolArguments
from pagemind.api.letta.tool_json import built_in_type
from pagemind.api.letta.tool_making import built_in_name
from pagemind.api.letta.tool_pages import Listed, built_in, page_of, stored
from pagemind.api.letta.tool_runs import direct_result, execution_result, run_stored
from pagemind.api.pages import paged
from pagemind.api.problems import Problem, unprocessable
from pagemind.engine.direct import call_directly
from pagemind.records import Agent, Json, StoredTool
from pagemind.store import agent_tools, agents, conversations, tools
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["tools"])

Page = Annotated[Slice, Depends(paged("tool", limit=10))]
ToolName = Annotated[str, Path(max_length=200)]
APPROVAL = "requires_approval"


@router.get("/v1/agents/{agent_id}/tools")
async def list_agent_tools(here: Caller, agent_id: AgentId, page: Page) -> list[dict[str, Any]]:
    """The agent's tools, the newest first."""
    async with here.transaction() as session:
        agent = await agents.get(session, agent_id)
        rows = await agent_tools.named(session, agent.tools)
    kernel = here.runtime.kernel
    own = sorted((stored(tool) for tool in rows.values()), key=newest, reverse=True)
    shipped = [built_in(kernel, kernel.registry[name]) for name in agent.tools if name in kernel.registry and name not in rows]
    return [each.json(kernel) for each in page_of([*own, *shipped], page, lambda tool: True)]


def newest(tool: Listed) -> Any:
    """The key of the order in which tools were made."""
    source = tool.source
    return (source.created_at, source.id) if isinstance(source, StoredTool) else ()


@router.patch("/v1/agents/{agent_id}/tools/attach/{tool_id}")
async def attach_tool(here: Caller, agent_id: AgentId, tool_id: ToolId) -> None:
    """Let the agent call a tool; one that wants approval by default brings the rule along."""
    async with here.transaction() as session:
        agent = await agents.lock(session, agent_id)
        name = built_in_name(here.runtime.kernel, tool_id)
        tool = None if name else await tools.get(session, tool_id)
        wanted = name or cast("StoredTool", tool).name
        if wanted not in agent.tools:
            agent.tools = [*agent.tools, wanted]
            if tool is not None and tool.needs_approval:
                agent.rules = with_approval(agent.rules, wanted, required=True)
            await agents.save(session, agent)


@router.patch("/v1/agents/{agent_id}/tools/detach/{tool_id}")
async def detach_tool(here: Caller, agent_id: AgentId, tool_id: ToolId) -> None:
    """Take a tool from the agent; nothing where it does not have it."""
    async with here.transaction() as session:
        agent = await agents.lock(session, agent_id)
        name = built_in_name(here.runtime.kernel, tool_id) or (await tools.get(session, tool_id)).name
        if name in agent.tools:
            agent.tools = [each for each in agent.tools if each != name]
            await agents.save(session, agent)


@router.patch("/v1/agents/{agent_id}/tools/approval/{tool_name}")
async def update_approval(
    here: Caller,
    agent_id: AgentId,
    tool_name: ToolName,
    asked: Annotated[ApprovalWish | None, Body()] = None,
    requires_approval: Annotated[bool | None, Query()] = None,
) -> None:
    """Let a person approve each call of the tool, or no longer."""
    required = requires_approval if asked is None or asked.requires_approval is None else asked.requires_approval
    if required is None:
        raise unprocessable("requires_approval must be provided either in request body or as query parameter")
    async with here.transaction() as session:
        agent = await agents.lock(session, agent_id)
        agent.rules = with_approval(agent.rules, tool_name, required=required)
        await agents.save(session, agent)


def with_approval(rules: list[Json], name: str, *, required: bool) -> list[Json]:
    """The rules with, or without, the one that a person approves each call of the tool."""
    others = [rule for rule in rules if (rule.get("type"), rule.get("tool_name")) != (APPROVAL, name)]
    return [*others, {"tool_name": name, "type": APPROVAL, "prompt_template": None}] if required else others


@router.post("/v1/agents/{agent_id}/tools/{tool_name}/run")
async def run_agent_tool(
    here: Caller, agent_id: AgentId, tool_name: ToolName, asked: Annotated[ToolArguments | None, Body()] = None
) -> dict[str, Any]:
    """Call one of the agent's tools without its model."""
    arguments = asked.args if asked else {}
    async with here.transaction() as session:
        agent = await agents.get(session, agent_id)
        tool = await own_tool(here, session, agent, tool_name)
        conversation = None if tool else await conversations.main_of(session, agent)
    if tool is not None:
        return execution_result(await run_stored(here, tool, arguments, secrets=agent.secrets))
    assert conversation is not None
    kernel = here.runtime.kernel
    result = await call_directly(kernel, agent, conversation.id, tool_name, arguments, here.author)
    here.runtime.index_soon()
    return direct_result(result)


async def own_tool(here: Here, session: AsyncSession, agent: Agent, name: str) -> StoredTool | None:
    """The agent's stored tool of that name; None for one that comes with the server. 404 where the agent has neither."""
    registry = here.runtime.kernel.registry
    of_home = name in registry and built_in_type(here.runtime.kernel, registry[name]) == "custom"
    if name in agent.tools or of_home:
        if name in registry:
            return None
        found = await tools.find(session, name)
        if found is not None:
            return found
    raise Problem(404, f"The tool {name!r} is not attached to {wire_id('agent', agent.id)}.")
