"""Agents: found by name or id, listed, kept when removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select, text, update
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


async def lock(session: AsyncSession, agent_id: UUID) -> Agent:
    """The agent as it is now, which nobody else can change until the transaction ends; UnknownAgent."""
    query = (
        select(Agent)
        .where(col(Agent.id) == agent_id, col(Agent.deleted_at).is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownAgent(name=str(agent_id))
    return found


async def some(session: AsyncSession, ids: Collection[UUID]) -> list[Agent]:
    """Those of these agents that there are, the newest first."""
    query = select(Agent).where(col(Agent.id).in_(ids), col(Agent.deleted_at).is_(None))
    return list((await session.execute(query.order_by(col(Agent.created_at).desc(), col(Agent.id)))).scalars())


async def touch(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Give the agents a new version, so that nobody goes on with what was known of them before."""
    if ids:
        await session.execute(
            update(Agent)
            .where(col(Agent.id).in_(sorted(ids)))
            .values(updated_at=now())
            .execution_options(synchronize_session=False)
        )


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
