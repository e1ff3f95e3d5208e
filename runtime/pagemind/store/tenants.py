"""Tenants."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Tenant


async def get(session: AsyncSession, tenant_id: UUID) -> Tenant:
    """The tenant's row, which `Database.open` has made."""
    return (await session.execute(select(Tenant).where(col(Tenant.id) == tenant_id))).scalar_one()


async def make(session: AsyncSession, tenant_id: UUID, name: str) -> None:
    """Make the tenant's row, in a transaction of its own id; nothing where it is there."""
    await session.execute(
        text("INSERT INTO tenants (id, name, created_at) VALUES (:id, :name, now()) ON CONFLICT DO NOTHING"),
        {"id": tenant_id, "name": name},
    )
