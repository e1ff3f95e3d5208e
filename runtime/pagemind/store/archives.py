"""Archives: made, shared between agents, taken out of sight."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, AgentArchive, Archive, Folder, now
from pagemind.store import agents
from pagemind.store.keyset import Slice, sliced


async def archive_of(session: AsyncSession, agent: Agent) -> Archive:
    """The archive that the agent writes to; the first call makes it, named after the agent."""
    found = await first_archive(session, agent.id)
    if found is not None:
        return found
    # Two calls at once must not make two: the second waits here and then finds the first one's.
    await session.execute(select(col(Agent.id)).where(col(Agent.id) == agent.id).with_for_update(key_share=True))
    found = await first_archive(session, agent.id)
    if found is not None:
        return found
    archive = await add(session, Archive(tenant_id=agent.tenant_id, name=agent.name))
    session.add(AgentArchive(tenant_id=agent.tenant_id, agent_id=agent.id, archive_id=archive.id))
    await session.flush()
    return archive


async def first_archive(session: AsyncSession, agent_id: UUID) -> Archive | None:
    """The agent's archive at the lowest position."""
    query = (
        select(Archive)
        .join(AgentArchive, (col(AgentArchive.tenant_id) == Archive.tenant_id) & (col(AgentArchive.archive_id) == Archive.id))
        .where(col(AgentArchive.agent_id) == agent_id)
        .order_by(col(AgentArchive.position), col(AgentArchive.archive_id))
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def add(session: AsyncSession, archive: Archive) -> Archive:
    """Store a new archive."""
    session.add(archive)
    await session.flush()
    return archive


async def get(session: AsyncSession, archive_id: UUID, *, lock: bool = False) -> Archive:
    """The archive, locked until the transaction ends if ``lock``; UnknownRecord where there is none, or it was deleted."""
    query = select(Archive).where(col(Archive.id) == archive_id, col(Archive.deleted_at).is_(None))
    found = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="archive", id=str(archive_id))
    return found


async def hold(session: AsyncSession, archive_id: UUID) -> Archive:
    """The archive, which nobody else holds until the transaction ends; single passages go into it meanwhile. UnknownRecord."""
    query = select(Archive).where(col(Archive.id) == archive_id, col(Archive.deleted_at).is_(None))
    found = (await session.execute(query.with_for_update(key_share=True))).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="archive", id=str(archive_id))
    return found


async def page(
    session: AsyncSession, page: Slice, *, agent_id: UUID | None = None, name: str | None = None
) -> Sequence[Archive]:
    """A page of the archives that are not of folders; of one agent, of one name."""
    query = select(Archive).where(
        col(Archive.deleted_at).is_(None), ~select(Folder).where(col(Folder.archive_id) == col(Archive.id)).exists()
    )
    if agent_id is not None:
        of_agent = select(col(AgentArchive.archive_id)).where(col(AgentArchive.agent_id) == agent_id)
        query = query.where(col(Archive.id).in_(of_agent))
    if name is not None:
        query = query.where(col(Archive.name) == name)
    return await sliced(session, query, Archive, page)


async def agent_ids(session: AsyncSession, archive_id: UUID) -> list[UUID]:
    """The agents that are attached to the archive."""
    query = select(col(AgentArchive.agent_id)).where(col(AgentArchive.archive_id) == archive_id)
    return list((await session.execute(query)).scalars())


async def attach(session: AsyncSession, agent: Agent, archive_id: UUID) -> None:
    """Let the agent search the archive, behind those that it has already; nothing where it does."""
    last = select(func.coalesce(func.max(col(AgentArchive.position)) + 1, 0)).where(col(AgentArchive.agent_id) == agent.id)
    values = {
        "tenant_id": agent.tenant_id,
        "agent_id": agent.id,
        "archive_id": archive_id,
        "position": last.scalar_subquery(),
    }
    await session.execute(insert(AgentArchive).values(values).on_conflict_do_nothing())
    await agents.touch(session, [agent.id])


async def detach(session: AsyncSession, agent_id: UUID, archive_id: UUID) -> None:
    """The agent no longer sees the archive; nothing where it did not."""
    link = (col(AgentArchive.agent_id) == agent_id) & (col(AgentArchive.archive_id) == archive_id)
    await session.execute(delete(AgentArchive).where(link))
    await agents.touch(session, [agent_id])


async def remove(session: AsyncSession, archive_id: UUID) -> None:
    """Take the archive and its passages out of every agent's sight; UnknownRecord."""
    archive = await get(session, archive_id, lock=True)
    archive.deleted_at = now()
    await agents.touch(session, await agent_ids(session, archive_id))
    await session.execute(delete(AgentArchive).where(col(AgentArchive.archive_id) == archive_id))
    await session.flush()
