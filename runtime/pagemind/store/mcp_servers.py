"""MCP servers: made, found, changed, deleted with their tools."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import McpServer
from pagemind.store import tools


async def get(session: AsyncSession, server_id: UUID, *, lock: bool = False) -> McpServer:
    """The server, locked until the transaction ends if ``lock``; UnknownRecord."""
    query = select(McpServer).where(col(McpServer.id) == server_id)
    found = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="mcp_server", id=str(server_id))
    return found


async def find(session: AsyncSession, name: str) -> McpServer | None:
    """The server of that name; None where there is none."""
    return (await session.execute(select(McpServer).where(col(McpServer.name) == name))).scalar_one_or_none()


async def every(session: AsyncSession) -> list[McpServer]:
    """All servers, in the order in which they were made."""
    return list((await session.execute(select(McpServer).order_by(col(McpServer.created_at), col(McpServer.id)))).scalars())


async def add(session: AsyncSession, server: McpServer) -> McpServer:
    """Store a new server; its name must be free."""
    session.add(server)
    await session.flush()
    return server


async def remove(session: AsyncSession, server: McpServer) -> None:
    """Delete the server and its tools, which are taken from the agents that have them."""
    await tools.remove(session, await tools.of_server(session, server.id))
    await session.delete(server)
    await session.flush()
