"""MCP servers and the tools that they offer, which are kept as stored tools so that agents can have them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.engine.kernel import Kernel
from pagemind.engine.outside import OutsideTools, address_of
from pagemind.errors import BadToolSource
from pagemind.records import Json, McpServer, StoredTool, ToolKind
from pagemind.records.text import clean_text
from pagemind.store import mcp_servers, tools
from pagemind.toolbox.mcp_server import McpTool
from pagemind.toolbox.source_schema import given_parameters

log = logging.getLogger(__name__)

NAME_LIMIT_CHARS = 64
DESCRIPTION_LIMIT_CHARS = 20_000
UNUSABLE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Synced:
    """What a look at a server changed: names of tools, as agents have them."""

    deleted: list[str] = field(default_factory=list[str])
    updated: list[str] = field(default_factory=list[str])
    added: list[str] = field(default_factory=list[str])


async def sync(kernel: Kernel, outside: OutsideTools, server_id: UUID) -> Synced:
    """Ask the server for its tools, and keep exactly those. Raises UnknownRecord, McpError."""
    async with kernel.database.transaction() as session:
        server = await mcp_servers.get(session, server_id)
    offered = await outside.mcp.tools(server.id, address_of(server))
    async with kernel.database.transaction() as session:
        await tools.lock_names(session)
        server = await mcp_servers.get(session, server_id, lock=True)
        return await keep(session, kernel, server, offered)


async def keep(session: AsyncSession, kernel: Kernel, server: McpServer, offered: Sequence[McpTool]) -> Synced:
    """Make the server's stored tools those that are offered; what has no usable schema is left out."""
    shapes = {tool.name: (tool, parameters) for tool in offered if (parameters := usable_parameters(tool)) is not None}
    standing = {str(tool.extra.get("mcp_name", tool.name)): tool for tool in await tools.of_server(session, server.id)}
    synced = Synced()
    gone = [tool for name, tool in standing.items() if name not in shapes]
    await tools.remove(session, gone)
    synced.deleted.extend(tool.name for tool in gone)
    for name, (offer, parameters) in shapes.items():
        description = clean_text(offer.description)[:DESCRIPTION_LIMIT_CHARS]
        tool = standing.get(name)
        if tool is None:
            tool = await made(session, kernel, server, name)
            tool.description, tool.parameters = description, parameters
            await tools.add(session, tool)
            synced.added.append(tool.name)
        elif (tool.description, tool.parameters) != (description, parameters):
            tool.description, tool.parameters = description, parameters
            await tools.changed(session, tool)
            synced.updated.append(tool.name)
    return synced


def usable_parameters(tool: McpTool) -> Json | None:
    """The tool's parameters without references; None where they are none that a model can be shown."""
    try:
        return given_parameters(tool.parameters)
    except BadToolSource:
        log.warning("a tool of an MCP server is left out: its schema is too large, or contains itself")
        return None


async def made(session: AsyncSession, kernel: Kernel, server: McpServer, name: str) -> StoredTool:
    """A new tool under its own name, or, where that is taken, under the server's and its own."""
    return StoredTool(
        tenant_id=server.tenant_id,
        name=await free_name(session, kernel, server, name),
        kind=ToolKind.mcp,
        tags=[f"mcp:{server.name}"],
        mcp_server_id=server.id,
        extra={"mcp_name": name, "source_type": "python"},
    )


async def free_name(session: AsyncSession, kernel: Kernel, server: McpServer, name: str) -> str:
    """A name that a model can call and that no other tool has."""
    plain = UNUSABLE.sub("_", name)[:NAME_LIMIT_CHARS] or "tool"
    longer = UNUSABLE.sub("_", f"{server.name}_{name}")
    numbered = (f"{longer[: NAME_LIMIT_CHARS - 5]}_{number}" for number in range(2, 1000))
    for each in (plain, longer[:NAME_LIMIT_CHARS], *numbered):
        if each not in kernel.registry and await tools.find(session, each) is None:
            return each
    raise BadToolSource(f"too many tools have the name {plain}")
