"""Tenants."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Tenant


async def get(session: AsyncSession, tenant_id: UUID) -> Tenant:
    """The tenant's row, which `Database.open` has made."""
    return (await session.execute(select(Tenant).where(col(Tenant.id) == tenant_id))).scalar_one()
