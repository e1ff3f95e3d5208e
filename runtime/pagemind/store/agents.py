"""Agents: found by name or id, kept when removed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownAgent
from pagemind.records import Agent, now


async def get(session: AsyncSession, name_or_id: str | UUID) -> Agent:
    """The agent of this name, or of this id; ``UnknownAgent`` if there is none, or it was removed."""
    query = select(Agent).where(col(Agent.deleted_at).is_(None))
    wanted = as_id(name_or_id)
    if wanted is not None:
        found = (await session.execute(query.where(col(Agent.id) == wanted))).scalar_one_or_none()
    else:
        found = await find(session, str(name_or_id))
    if found is None:
        raise UnknownAgent(name=str(name_or_id))
    return found


async def find(session: AsyncSession, name: str, *, lock: bool = False) -> Agent | None:
    """The agent of this name, locked until the transaction ends if ``lock``; None if there is none.

    Where several share the name, it is the one made from a file, else the oldest.
    """
    query = (
        select(Agent)
        .where(col(Agent.deleted_at).is_(None), col(Agent.name) == name)
        .order_by(col(Agent.applied).is_(None), col(Agent.created_at), col(Agent.id))
        .limit(1)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    return (await session.execute(query)).scalar_one_or_none()


async def lock_names(session: AsyncSession) -> None:
    """Wait until no other transaction of the tenant that took this lock is under way; held until this one ends.

    A row that is not there yet cannot be locked, so this is what keeps two from making the same agent.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('pagemind.agents.' || current_setting('app.tenant'), 0))")
    )


def as_id(name_or_id: str | UUID) -> UUID | None:
    """The id, if it is one."""
    if isinstance(name_or_id, UUID):
        return name_or_id
    try:
        return UUID(name_or_id)
    except ValueError:
        return None


async def all(session: AsyncSession) -> list[Agent]:
    """Every agent that was not removed, by name."""
    query = select(Agent).where(col(Agent.deleted_at).is_(None)).order_by(col(Agent.name))
    return list((await session.execute(query)).scalars())


async def add(session: AsyncSession, agent: Agent) -> Agent:
    """Store a new agent. The name of one from a file must be free among the tenant's agents from files."""
    session.add(agent)
    await session.flush()
    return agent


async def save(session: AsyncSession, agent: Agent) -> Agent:
    """Write a changed agent, from this transaction or an earlier one; ``updated_at`` becomes now."""
    agent.updated_at = now()
    kept = await session.merge(agent)
    await session.flush()
    return kept


async def remove(session: AsyncSession, agent: Agent) -> None:
    """Take the agent out of sight and its name out of use; its memory and history stay."""
    agent.deleted_at = now()
    await save(session, agent)
