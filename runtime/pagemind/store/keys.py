"""Keys and the tenants they are for. Every query sees the rows of one tenant only; the key itself says of which."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import StoreConflict, UnknownRecord
from pagemind.records import ApiKey, Tenancy

_USED = text(
    "UPDATE api_keys SET used_at = now() WHERE digest = :digest AND (used_at IS NULL OR used_at < now() - interval '1 minute')"
)


async def add(session: AsyncSession, key: ApiKey) -> ApiKey:
    """Store a new key's digest."""
    session.add(key)
    await session.flush()
    return key


async def by_digest(session: AsyncSession, digest: str) -> ApiKey | None:
    """The key of this digest, unless it is revoked; that it was used is noted, at most once a minute."""
    query = select(ApiKey).where(col(ApiKey.digest) == digest, col(ApiKey.revoked_at).is_(None))
    found = (await session.execute(query)).scalar_one_or_none()
    if found is not None:
        await session.execute(_USED, {"digest": digest})
    return found


async def all(session: AsyncSession) -> list[ApiKey]:
    """The tenant's keys, revoked ones too, oldest first."""
    return list((await session.execute(select(ApiKey).order_by(col(ApiKey.created_at), col(ApiKey.id)))).scalars())


async def any_valid(session: AsyncSession) -> bool:
    """Whether the tenant has a key that is not revoked."""
    return (await session.execute(text("SELECT EXISTS (SELECT FROM api_keys WHERE revoked_at IS NULL)"))).scalar_one()


async def revoke(session: AsyncSession, key_id: UUID) -> ApiKey:
    """Let the key open nothing any more; UnknownRecord if the tenant has none of this id."""
    await session.execute(text("UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id"), {"id": key_id})
    found = (await session.execute(select(ApiKey).where(col(ApiKey.id) == key_id))).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="key", id=str(key_id))
    return found


async def tenancies(session: AsyncSession) -> Sequence[Tenancy]:
    """The tenants that this operator has made, oldest first."""
    return (await session.execute(select(Tenancy).order_by(col(Tenancy.created_at), col(Tenancy.id)))).scalars().all()


async def add_tenancy(session: AsyncSession, tenancy: Tenancy) -> Tenancy:
    """Store that the operator has made this tenant; StoreConflict if the name is taken."""
    if (await session.execute(select(Tenancy).where(col(Tenancy.name) == tenancy.name))).first() is not None:
        raise StoreConflict(f"a tenant named {tenancy.name!r} is there already")
    session.add(tenancy)
    await session.flush()
    return tenancy
