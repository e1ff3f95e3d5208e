"""Identities: who, or what, agents and their memories are about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import AgentIdentity, Block, BlockIdentity, Identity
from pagemind.store.keyset import Slice, sliced

Link = type[AgentIdentity] | type[BlockIdentity]

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


async def named(session: AsyncSession, identifier: str) -> Identity | None:
    """The identity that the outside knows by this name."""
    return (await session.execute(select(Identity).where(col(Identity.identifier) == identifier))).scalar_one_or_none()


async def get(session: AsyncSession, identity_id: UUID, *, lock: bool = False) -> Identity:
    """The identity, locked until the transaction ends if ``lock``; UnknownRecord if there is none."""
    query = select(Identity).where(col(Identity.id) == identity_id)
    found = (await session.execute(query.with_for_update(key_share=True) if lock else query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="identity", id=str(identity_id))
    return found


async def some(session: AsyncSession, ids: Collection[UUID]) -> list[Identity]:
    """Those of these identities that there are."""
    return list((await session.execute(select(Identity).where(col(Identity.id).in_(ids)))).scalars())


async def page(
    session: AsyncSession,
    page: Slice,
    *,
    name: str | None = None,
    identifier: str | None = None,
    kind: str | None = None,
) -> Sequence[Identity]:
    """A page of the identities with this in their name, of this identifier, of this kind."""
    query = select(Identity)
    if name:
        query = query.where(col(Identity.name).icontains(name, autoescape=True))
    if identifier is not None:
        query = query.where(col(Identity.identifier) == identifier)
    if kind is not None:
        query = query.where(col(Identity.kind) == kind)
    return await sliced(session, query, Identity, page)


async def count(session: AsyncSession) -> int:
    """How many identities there are."""
    return int((await session.execute(select(func.count()).select_from(Identity))).scalar_one())


async def add(session: AsyncSession, identity: Identity) -> Identity:
    """Store a new identity; StoreConflict where another has its identifier."""
    session.add(identity)
    await session.flush()
    return identity


async def remove(session: AsyncSession, identity: Identity) -> None:
    """Forget the identity; what was linked to it stays."""
    await session.execute(delete(Identity).where(col(Identity.id) == identity.id).execution_options(synchronize_session=False))


async def attached(session: AsyncSession, link: Link, owner_ids: Collection[UUID]) -> dict[UUID, list[Identity]]:
    """The identities of each of these agents or blocks, the oldest first."""
    owner = owner_column(link)
    query = (
        select(owner, Identity)
        .join(link, (col(link.tenant_id) == Identity.tenant_id) & (col(link.identity_id) == Identity.id))
        .where(owner.in_(owner_ids))
        .order_by(col(Identity.created_at), col(Identity.id))
    )
    found: dict[UUID, list[Identity]] = {owner_id: [] for owner_id in owner_ids}
    for owner_id, identity in await session.execute(query):
        found[owner_id].append(identity)
    return found


async def owners(session: AsyncSession, link: Link, identity_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """The agents, or blocks, of each of these identities."""
    query = select(col(link.identity_id), owner_column(link)).where(col(link.identity_id).in_(identity_ids))
    found: dict[UUID, list[UUID]] = {identity_id: [] for identity_id in identity_ids}
    for identity_id, owner_id in await session.execute(query):
        found[identity_id].append(owner_id)
    return found


async def blocks_of(session: AsyncSession, identity_id: UUID, page: Slice) -> Sequence[Block]:
    """A page of the blocks that are about the identity."""
    about = select(col(BlockIdentity.block_id)).where(col(BlockIdentity.identity_id) == identity_id)
    return await sliced(session, select(Block).where(col(Block.id).in_(about), col(Block.deleted_at).is_(None)), Block, page)


async def attach(session: AsyncSession, link: Link, tenant_id: UUID, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """Link agents, or blocks, with identities, given as pairs; nothing where they are linked already."""
    if not pairs:
        return
    owner = owner_column(link).key
    values = [{"tenant_id": tenant_id, owner: owner_id, "identity_id": identity_id} for owner_id, identity_id in pairs]
    await session.execute(insert(link).values(values).on_conflict_do_nothing())


async def detach(session: AsyncSession, link: Link, *, owner_id: UUID | None = None, identity_id: UUID | None = None) -> None:
    """Unlink the agent or block, the identity, or the two of them from each other."""
    statement = delete(link)
    if owner_id is not None:
        statement = statement.where(owner_column(link) == owner_id)
    if identity_id is not None:
        statement = statement.where(col(link.identity_id) == identity_id)
    await session.execute(statement.execution_options(synchronize_session=False))


def owner_column(link: Link) -> Any:
    """The side of the link that is not the identity."""
    return col(link.agent_id) if issubclass(link, AgentIdentity) else col(link.block_id)
