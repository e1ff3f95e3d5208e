"""Which files an agent may read, and which of them stand open in its window."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, AgentFile, File, now


@dataclass(frozen=True)
class Readable:
    """A file that an agent may read. ``name`` has its folder's before it."""

    id: UUID
    folder_id: UUID
    folder: str
    name: str
    is_open: bool
    link_id: UUID | None
    """Of the row that says whether it is open; None where it never was."""
    shown: str
    first_line: int | None
    last_line: int | None
    used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Opening:
    """A file to be opened, and what of it the model is to see."""

    file_id: UUID
    shown: str
    first_line: int | None = None
    last_line: int | None = None


_READABLE = text(
    """
    SELECT f.id, o.id AS folder_id, o.name AS folder, o.name || '/' || f.name AS name, coalesce(v.is_open, false) AS is_open,
           v.id AS link_id, CASE WHEN v.is_open THEN v.shown ELSE '' END AS shown, v.first_line, v.last_line, v.used_at,
           f.created_at
      FROM agent_folders a
      JOIN folders o ON o.tenant_id = a.tenant_id AND o.id = a.folder_id
      JOIN files f ON f.tenant_id = o.tenant_id AND f.folder_id = o.id
      LEFT JOIN agent_files v ON v.tenant_id = f.tenant_id AND v.agent_id = a.agent_id AND v.file_id = f.id
     WHERE a.agent_id = :agent
     ORDER BY f.created_at, f.id
    """
)


async def readable(session: AsyncSession, agent_id: UUID) -> list[Readable]:
    """The files of the agent's folders, the oldest first."""
    return [Readable(**row) for row in (await session.execute(_READABLE, {"agent": agent_id})).mappings()]


async def texts(session: AsyncSession, file_ids: Collection[UUID], most_chars: int) -> dict[UUID, str]:
    """The texts of the files by their ids, in the order of their making, as many as ``most_chars`` hold together."""
    found, used = dict[UUID, str](), 0
    query = select(col(File.id)).where(col(File.id).in_(file_ids)).order_by(col(File.created_at), col(File.id))
    for file_id in (await session.execute(query)).scalars().all():
        content = (await session.execute(select(col(File.text)).where(col(File.id) == file_id))).scalar_one_or_none()
        used += len(content or "")
        if used > most_chars:
            break
        found[file_id] = content or ""
    return found


async def bump(session: AsyncSession, agent_id: UUID) -> int:
    """What the agent sees of its files is another from now on; the new revision. Held until the transaction ends."""
    raised = await session.execute(
        update(Agent)
        .where(col(Agent.id) == agent_id)
        .values(files_revision=col(Agent.files_revision) + 1, updated_at=now())
        .returning(col(Agent.files_revision))
        .execution_options(synchronize_session=False)
    )
    revision = raised.scalar_one_or_none()
    if revision is None:
        raise UnknownRecord(kind="agent", id=str(agent_id))
    return revision


async def open(
    session: AsyncSession, tenant_id: UUID, agent_id: UUID, openings: Sequence[Opening], revision: int, most_open: int
) -> list[UUID]:
    """Put the files into the agent's window; those not used for longest leave it where there are too many. Which these are."""
    for each in openings:
        values = {
            "is_open": True,
            "first_line": each.first_line,
            "last_line": each.last_line,
            "shown": each.shown,
            "revision": revision,
            "used_at": now(),
        }
        row = AgentFile(tenant_id=tenant_id, agent_id=agent_id, file_id=each.file_id)
        statement = insert(AgentFile).values({**row.model_dump(), **values})
        await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "agent_id", "file_id"], set_=values))
    query = (
        select(col(AgentFile.file_id))
        .where(col(AgentFile.agent_id) == agent_id, col(AgentFile.is_open))
        .order_by(col(AgentFile.used_at).desc(), col(AgentFile.file_id))
        .offset(most_open)
    )
    stale = list((await session.execute(query)).scalars())
    await close(session, agent_id, revision, file_ids=stale)
    return stale


async def close(
    session: AsyncSession,
    agent_id: UUID,
    revision: int,
    *,
    file_ids: Collection[UUID] | None = None,
    keep: Collection[UUID] = (),
) -> list[UUID]:
    """Take files out of the agent's window: these, or all but those to ``keep``; which of them were open."""
    statement = update(AgentFile).where(col(AgentFile.agent_id) == agent_id, col(AgentFile.is_open))
    if file_ids is not None:
        statement = statement.where(col(AgentFile.file_id).in_(file_ids))
    if keep:
        statement = statement.where(col(AgentFile.file_id).not_in(keep))
    closed = await session.execute(
        statement.values(is_open=False, shown="", first_line=None, last_line=None, revision=revision)
        .returning(col(AgentFile.file_id))
        .execution_options(synchronize_session=False)
    )
    return list(closed.scalars())
