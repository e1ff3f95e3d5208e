"""Folders: made with an archive for their files' pieces, attached to agents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, AgentFile, AgentFolder, Archive, File, Folder, Passage, now
from pagemind.store.keyset import Slice, sliced


async def add(session: AsyncSession, folder: Folder) -> bool:
    """Store a new folder and its archive; False, and nothing stored, where its name is taken."""
    session.add(Archive(tenant_id=folder.tenant_id, id=folder.archive_id, name=folder.name))
    await session.flush()
    values = folder.model_dump()
    made = await session.execute(insert(Folder).values(values).on_conflict_do_nothing().returning(col(Folder.id)))
    return made.scalar_one_or_none() is not None


async def get(session: AsyncSession, folder_id: UUID, *, lock: bool = False) -> Folder:
    """The folder, locked until the transaction ends if ``lock``; UnknownRecord."""
    query = select(Folder).where(col(Folder.id) == folder_id)
    found = (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="folder", id=str(folder_id))
    return found


async def by_name(session: AsyncSession, name: str) -> Folder | None:
    """The folder of this name, if there is one."""
    return (await session.execute(select(Folder).where(col(Folder.name) == name))).scalar_one_or_none()


async def page(
    session: AsyncSession, page: Slice, *, agent_id: UUID | None = None, name: str | None = None
) -> Sequence[Folder]:
    """A page of the folders; of those attached to an agent, of one name."""
    query = select(Folder)
    if agent_id is not None:
        attached = select(col(AgentFolder.folder_id)).where(col(AgentFolder.agent_id) == agent_id)
        query = query.where(col(Folder.id).in_(attached))
    if name is not None:
        query = query.where(col(Folder.name) == name)
    return await sliced(session, query, Folder, page)


async def count(session: AsyncSession) -> int:
    """How many folders there are."""
    return (await session.execute(select(func.count(col(Folder.id))))).scalar_one()


async def remove(session: AsyncSession, folder_id: UUID) -> None:
    """Take the folder, its files and their pieces out of every agent's sight; UnknownRecord."""
    folder = await get(session, folder_id, lock=True)
    await changed(session, await agent_ids(session, folder_id))
    await session.execute(
        update(Archive)
        .where(col(Archive.id) == folder.archive_id)
        .values(deleted_at=now())
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(Passage)
        .where(col(Passage.archive_id) == folder.archive_id, col(Passage.superseded_at).is_(None))
        .values(superseded_at=now())
        .execution_options(synchronize_session=False)
    )
    await session.execute(delete(Folder).where(col(Folder.id) == folder_id))


async def agent_ids(session: AsyncSession, folder_id: UUID) -> list[UUID]:
    """The agents that the folder is attached to."""
    query = select(col(AgentFolder.agent_id)).where(col(AgentFolder.folder_id) == folder_id)
    return list((await session.execute(query)).scalars())


async def attached(session: AsyncSession, agent_id: UUID) -> list[Folder]:
    """The folders of the agent, in the order in which it got them."""
    query = (
        select(Folder)
        .join(AgentFolder, (col(AgentFolder.tenant_id) == Folder.tenant_id) & (col(AgentFolder.folder_id) == Folder.id))
        .where(col(AgentFolder.agent_id) == agent_id)
        .order_by(col(AgentFolder.created_at), col(Folder.id))
    )
    return list((await session.execute(query)).scalars())


async def of_agents(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, list[Folder]]:
    """The folders that each of the agents may read, the oldest first."""
    query = (
        select(col(AgentFolder.agent_id), Folder)
        .join(AgentFolder, (col(AgentFolder.tenant_id) == Folder.tenant_id) & (col(AgentFolder.folder_id) == Folder.id))
        .where(col(AgentFolder.agent_id).in_(agent_ids))
        .order_by(col(Folder.created_at), col(Folder.id))
    )
    found: dict[UUID, list[Folder]] = {agent_id: [] for agent_id in agent_ids}
    for agent_id, folder in await session.execute(query):
        found[agent_id].append(folder)
    return found


async def attach(session: AsyncSession, agent: Agent, folder_id: UUID) -> bool:
    """Let the agent read the folder; whether that is new."""
    values = {"tenant_id": agent.tenant_id, "agent_id": agent.id, "folder_id": folder_id, "created_at": now()}
    made = await session.execute(
        insert(AgentFolder).values(values).on_conflict_do_nothing().returning(col(AgentFolder.folder_id))
    )
    return made.scalar_one_or_none() is not None


async def detach(session: AsyncSession, agent_id: UUID, folder_id: UUID) -> bool:
    """The agent no longer sees the folder, and has none of its files open; whether it did."""
    files = select(col(File.id)).where(col(File.folder_id) == folder_id)
    await session.execute(delete(AgentFile).where(col(AgentFile.agent_id) == agent_id, col(AgentFile.file_id).in_(files)))
    link = (col(AgentFolder.agent_id) == agent_id) & (col(AgentFolder.folder_id) == folder_id)
    gone = await session.execute(delete(AgentFolder).where(link).returning(col(AgentFolder.folder_id)))
    return gone.scalar_one_or_none() is not None


async def changed(session: AsyncSession, agent_ids: Sequence[UUID]) -> None:
    """What the agents see of their folders and files is another from now on."""
    if agent_ids:
        await session.execute(
            update(Agent)
            .where(col(Agent.id).in_(sorted(agent_ids)))
            .values(files_revision=col(Agent.files_revision) + 1, updated_at=now())
            .execution_options(synchronize_session=False)
        )
