"""How long a passage is good: found again, confirmed, taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Passage
from pagemind.store.passages import of_agent

_REFRESH = text(
    """
UPDATE passages SET refreshed_at = now()
 WHERE id = ANY (CAST(:ids AS uuid[])) AND (refreshed_at IS NULL OR refreshed_at < now() - interval '1 minute')
"""
)
_NAMED = text(
    """
SELECT p.id FROM agent_archives a
  JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.archive_id
 WHERE a.agent_id = :agent_id AND p.superseded_at IS NULL AND starts_with(p.id::text, :prefix)
 LIMIT 2
"""
)


async def refresh(session: AsyncSession, passage_ids: Collection[UUID]) -> None:
    """A search has brought these: noted of each at most once a minute."""
    await session.execute(_REFRESH, {"ids": sorted(passage_ids)})


async def named(session: AsyncSession, agent_id: UUID, prefix: str) -> UUID:
    """The passage in force of the agent's archives whose id begins so; UnknownRecord where there is none, or several."""
    found = (await session.execute(_NAMED, {"agent_id": agent_id, "prefix": prefix})).scalars().all()
    if len(found) != 1:
        raise UnknownRecord(kind="passage" if not found else "single passage", id=prefix)
    return found[0]


async def confirm(
    session: AsyncSession, agent_id: UUID, passage_id: UUID, *, review_by: datetime | None, confidence: float | None
) -> Passage:
    """A person vouches for the passage from now on, until it is due for review again. UnknownRecord."""
    values = {"origin": "stated", "review_by": review_by, "confidence": confidence}
    own = of_agent(agent_id).with_only_columns(col(Passage.id))
    changed = await session.execute(
        update(Passage)
        .where(col(Passage.id) == passage_id, col(Passage.id).in_(own), col(Passage.superseded_at).is_(None))
        .values(values)
        .returning(Passage)
        .execution_options(synchronize_session=False)
    )
    passage = changed.scalar_one_or_none()
    if passage is None:
        raise UnknownRecord(kind="passage", id=str(passage_id))
    return passage
