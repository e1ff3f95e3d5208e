"""Identities: who, or what, agents and their memories are about."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Identity

_MEET = text(
    """
    INSERT INTO identities (tenant_id, id, identifier, name, kind, properties, extra, created_at, updated_at)
    VALUES (:tenant_id, :id, :identifier, :identifier, 'user', '[]', '{}', now(), now())
    ON CONFLICT (tenant_id, identifier) DO NOTHING
    """
)


async def known_as(session: AsyncSession, tenant_id: UUID, identifier: str) -> Identity:
    """The identity that the outside knows by this name; the first call makes it."""
    query = select(Identity).where(col(Identity.identifier) == identifier)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    await session.execute(_MEET, {"tenant_id": tenant_id, "id": uuid4(), "identifier": identifier})
    return (await session.execute(query)).scalar_one()
