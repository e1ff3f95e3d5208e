"""``/v1/mcp-servers``: servers of the Model Context Protocol, and the tools that they offer."""

from __future__ import annotations

import logging
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, McpServerId, ToolId
from pagemind.api.letta.mcp_bodies import McpServerCreate, McpServerUpdate, lacking, merged, server_json
from pagemind.api.letta.tool_bodies import ToolArguments
from pagemind.api.letta.tool_json import stored_json
from pagemind.api.letta.tool_runs import execution_result, mcp_problem, run_stored
from pagemind.api.problems import conflict, unprocessable
from pagemind.engine.mcp_servers import sync
from pagemind.errors import McpError, McpStdioOff, UnknownRecord
from pagemind.records import McpServer, StoredTool, now
from pagemind.store import agents, mcp_servers, tools
from pagemind.store.database import AsyncSession

router = APIRouter(tags=["mcp servers"])
log = logging.getLogger(__name__)


@router.post("/v1/mcp-servers")
async def create_mcp_server(here: Caller, asked: McpServerCreate) -> dict[str, Any]:
    """Register a server. Its tools are taken up if it answers; if not, ``refresh`` does that later."""
    kind = asked.config.mcp_server_type
    refuse_stdio(here, asked.server_name, kind)
    config = merged({}, asked.config)
    if (field := lacking(config, kind)) is not None:
        raise unprocessable(f"A server of the type {kind} needs {field}.")
    async with here.transaction() as session:
        await tools.lock_names(session)
        if await mcp_servers.find(session, asked.server_name) is not None:
            raise conflict(f"An MCP server with the name {asked.server_name!r} is there already.")
        server = McpServer(tenant_id=here.tenant_id, name=asked.server_name, kind=kind, config=config)
        await mcp_servers.add(session, server)
    try:
        await sync(here.runtime.kernel, here.runtime.outside, server.id)
    except McpError as error:
        log.warning("a new MCP server has shown no tools yet (%s)", error.code)
    return server_json(server)


@router.get("/v1/mcp-servers")
async def list_mcp_servers(here: Caller) -> list[dict[str, Any]]:
    """All servers, in the order in which they were registered."""
    async with here.transaction() as session:
        return [server_json(server) for server in await mcp_servers.every(session)]


@router.get("/v1/mcp-servers/{mcp_server_id}")
async def retrieve_mcp_server(here: Caller, mcp_server_id: McpServerId) -> dict[str, Any]:
    """One server."""
    async with here.transaction() as session:
        return server_json(await mcp_servers.get(session, mcp_server_id))


@router.patch("/v1/mcp-servers/{mcp_server_id}")
async def update_mcp_server(here: Caller, mcp_server_id: McpServerId, asked: McpServerUpdate) -> dict[str, Any]:
    """Rename a server or change how it is reached; its tools stay until it is refreshed."""
    kind = asked.config.mcp_server_type
    async with here.transaction() as session:
        await tools.lock_names(session)
        server = await mcp_servers.get(session, mcp_server_id, lock=True)
        refuse_stdio(here, server.name, kind)
        await rename(session, server, asked.server_name)
        config = merged(server.config if server.kind == kind else {}, asked.config)
        if (field := lacking(config, kind)) is not None:
            raise unprocessable(f"A server of the type {kind} needs {field}.")
        server.kind, server.config, server.updated_at = kind, config, now()
    await here.runtime.outside.mcp.forget(mcp_server_id)
    return server_json(server)


async def rename(session: AsyncSession, server: McpServer, name: str | None) -> None:
    """Give the server a new name, which its tools are tagged with; 409 where another has it."""
    if name is None or name == server.name:
        return
    if await mcp_servers.find(session, name) is not None:
        raise conflict(f"An MCP server with the name {name!r} is there already.")
    before, server.name = f"mcp:{server.name}", name
    for tool in await tools.of_server(session, server.id):
        tool.tags = [f"mcp:{name}" if tag == before else tag for tag in tool.tags]


@router.delete("/v1/mcp-servers/{mcp_server_id}", status_code=204, response_class=Response)
async def delete_mcp_server(here: Caller, mcp_server_id: McpServerId) -> None:
    """Delete a server with its tools, which are taken from the agents that have them."""
    async with here.transaction() as session:
        await mcp_servers.remove(session, await mcp_servers.get(session, mcp_server_id, lock=True))
    await here.runtime.outside.mcp.forget(mcp_server_id)


@router.patch("/v1/mcp-servers/{mcp_server_id}/refresh")
async def refresh_mcp_server(here: Caller, mcp_server_id: McpServerId, agent_id: AgentId | None = None) -> dict[str, Any]:
    """Ask a server for its tools again: what it no longer offers is deleted, what is new is added."""
    if agent_id is not None:
        async with here.transaction() as session:
            await agents.get(session, agent_id)
    try:
        synced = await sync(here.runtime.kernel, here.runtime.outside, mcp_server_id)
    except McpError as error:
        raise mcp_problem(error) from error
    return {"deleted": synced.deleted, "updated": synced.updated, "added": synced.added}


@router.get("/v1/mcp-servers/{mcp_server_id}/tools")
async def list_mcp_tools(here: Caller, mcp_server_id: McpServerId) -> list[dict[str, Any]]:
    """The tools of a server."""
    async with here.transaction() as session:
        await mcp_servers.get(session, mcp_server_id)
        found = await tools.of_server(session, mcp_server_id)
    return [stored_json(here.runtime.kernel, tool) for tool in found]


@router.get("/v1/mcp-servers/{mcp_server_id}/tools/{tool_id}")
async def retrieve_mcp_tool(here: Caller, mcp_server_id: McpServerId, tool_id: ToolId) -> dict[str, Any]:
    """One tool of a server."""
    return stored_json(here.runtime.kernel, await tool_of(here, mcp_server_id, tool_id))


@router.post("/v1/mcp-servers/{mcp_server_id}/tools/{tool_id}/run")
async def run_mcp_tool(
    here: Caller, mcp_server_id: McpServerId, tool_id: ToolId, asked: Annotated[ToolArguments | None, Body()] = None
) -> dict[str, Any]:
    """Call a tool of a server without a model."""
    tool = await tool_of(here, mcp_server_id, tool_id)
    return execution_result(await run_stored(here, tool, asked.args if asked else {}, secrets={}))


async def tool_of(here: Here, server_id: UUID, tool_id: UUID) -> StoredTool:
    """The tool, if it is one of that server; UnknownRecord."""
    async with here.transaction() as session:
        await mcp_servers.get(session, server_id)
        tool = await tools.get(session, tool_id)
    if tool.mcp_server_id != server_id:
        raise UnknownRecord(kind="tool", id=str(tool_id))
    return tool


def refuse_stdio(here: Here, name: str, kind: str) -> None:
    """403 for a server that is a command, where the operator does not allow such."""
    if kind == "stdio" and not here.settings.allow_mcp_stdio:
        raise mcp_problem(McpStdioOff(name=name))
