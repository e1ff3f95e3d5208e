"""Stored tools: made, found, changed, and what their going leaves behind."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, StoredTool, now


async def get(session: AsyncSession, tool_id: UUID, *, lock: bool = False) -> StoredTool:
    """The tool, locked until the transaction ends if ``lock``; UnknownRecord."""
    query = select(StoredTool).where(col(StoredTool.id) == tool_id)
    found = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="tool", id=str(tool_id))
    return found


async def find(session: AsyncSession, name: str, *, lock: bool = False) -> StoredTool | None:
    """The tool of that name, locked until the transaction ends if ``lock``; None where there is none."""
    query = select(StoredTool).where(col(StoredTool.name) == name)
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def lock_names(session: AsyncSession) -> None:
    """Wait until no other transaction of the tenant makes or renames tools; held until this one ends.

    A row that is not there yet cannot be locked, so this is what keeps two from making the same tool.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('pagemind.tools.' || current_setting('app.tenant'), 0))")
    )


async def add(session: AsyncSession, tool: StoredTool) -> StoredTool:
    """Store a new tool; its name must be free."""
    session.add(tool)
    await session.flush()
    return tool


async def every(session: AsyncSession) -> list[StoredTool]:
    """All stored tools, the newest first."""
    query = select(StoredTool).order_by(col(StoredTool.created_at).desc(), col(StoredTool.id).desc())
    return list((await session.execute(query)).scalars())


async def of_server(session: AsyncSession, server_id: UUID) -> list[StoredTool]:
    """The tools of an MCP server, by name."""
    query = select(StoredTool).where(col(StoredTool.mcp_server_id) == server_id).order_by(col(StoredTool.name))
    return list((await session.execute(query)).scalars())


async def count(session: AsyncSession) -> int:
    """How many tools are stored."""
    return (await session.execute(select(func.count()).select_from(StoredTool))).scalar_one()


async def changed(session: AsyncSession, tool: StoredTool) -> None:
    """Write a changed tool; the agents that have it get a new version."""
    tool.updated_at = now()
    await session.flush()
    await touch_agents(session, [tool.name])


async def remove(session: AsyncSession, tools: Collection[StoredTool]) -> None:
    """Delete the tools and take them from the agents that have them."""
    for tool in tools:
        await forget(session, tool.name)
    await session.execute(delete(StoredTool).where(col(StoredTool.id).in_([tool.id for tool in tools])))


async def forget(session: AsyncSession, name: str) -> None:
    """Take the name from every agent that has it."""
    await session.execute(
        update(Agent)
        .where(col(Agent.tools).any_() == name)  # pyright: ignore
        .values(tools=func.array_remove(col(Agent.tools), name), updated_at=now())
        .execution_options(synchronize_session=False)
    )


async def rename(session: AsyncSession, old: str, new: str) -> None:
    """Let every agent that has the tool have it under its new name."""
    await session.execute(
        update(Agent)
        .where(col(Agent.tools).any_() == old)  # pyright: ignore
        .values(tools=func.array_replace(col(Agent.tools), old, new), updated_at=now())
        .execution_options(synchronize_session=False)
    )


async def touch_agents(session: AsyncSession, names: Collection[str]) -> None:
    """Give the agents that have any of these tools a new version, so that nobody goes on with what was known before."""
    if names:
        await session.execute(
            update(Agent)
            .where(col(Agent.tools).overlap(list(names)))  # pyright: ignore
            .values(updated_at=now())
            .execution_options(synchronize_session=False)
        )
