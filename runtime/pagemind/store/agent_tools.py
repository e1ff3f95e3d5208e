"""Stored tools as agents refer to them: by name, or by id."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import StoredTool


async def named(session: AsyncSession, names: Collection[str]) -> dict[str, StoredTool]:
    """Those of these tools that are stored, by name."""
    if not names:
        return {}
    query = select(StoredTool).where(col(StoredTool.name).in_(names))
    return {tool.name: tool for tool in (await session.execute(query)).scalars()}


async def numbered(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, StoredTool]:
    """Those of these tools that are stored, by id."""
    if not ids:
        return {}
    query = select(StoredTool).where(col(StoredTool.id).in_(ids))
    return {tool.id: tool for tool in (await session.execute(query)).scalars()}
