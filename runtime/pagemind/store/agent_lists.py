"""Lists of agents: filtered, in an order of one's choice, by pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Agent, AgentArchive, AgentBlock, AgentFolder, AgentIdentity, Identity, Run
from pagemind.store.keyset import Slice, sliced

NEVER = datetime(1, 1, 1, tzinfo=UTC)


class AgentOrder(StrEnum):
    """What a list of agents goes by."""

    created_at = "created_at"
    updated_at = "updated_at"
    last_run_completion = "last_run_completion"


@dataclass(frozen=True)
class AgentFilter:
    """Which agents: each condition that is given must hold."""

    name: str | None = None
    text: str | None = None
    """Stands somewhere in the name, in letters of either case."""
    tags: Sequence[str] = ()
    all_tags: bool = False
    """Every one of the tags rather than any."""
    identity_id: UUID | None = None
    identifiers: Sequence[str] = ()
    """Of identities: any."""
    block_id: UUID | None = None
    archive_id: UUID | None = None
    folder_id: UUID | None = None
    stop_reasons: Sequence[str] | None = None
    """Of the newest run that ended: any."""
    hidden: bool = True
    """Those, too, that their front hides."""
    nothing: bool = False
    """None at all: a condition that no agent meets."""
    order: AgentOrder = field(default=AgentOrder.created_at)


async def page(session: AsyncSession, wanted: AgentFilter, page: Slice) -> Sequence[Agent]:
    """The page of the agents that are wanted; UnknownRecord for a cursor that was never one."""
    return await sliced(session, _filtered(select(Agent), wanted), Agent, page, by=_by(wanted.order))


async def count(session: AsyncSession, wanted: AgentFilter | None = None) -> int:
    """How many agents there are."""
    query = _filtered(select(col(Agent.id)), wanted or AgentFilter())
    return int((await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one())


async def tags(session: AsyncSession, page: Slice, *, after: str | None, before: str | None, text: str | None) -> list[str]:
    """The tags of all agents, each once, by name, from behind ``after`` or up to ``before``."""
    tag = func.unnest(col(Agent.tags)).label("tag")
    each = select(tag).where(col(Agent.deleted_at).is_(None)).distinct().subquery()
    query = select(each.c.tag)
    if text:
        query = query.where(each.c.tag.icontains(text, autoescape=True))
    backwards = before is not None and after is None
    for cursor, past in ((after, page.descending), (before, not page.descending)):
        if cursor is not None:
            query = query.where(each.c.tag < cursor if past else each.c.tag > cursor)
    descending = page.descending != backwards
    query = query.order_by(each.c.tag.desc() if descending else each.c.tag).limit(page.limit)
    found = list((await session.execute(query)).scalars())
    return found[::-1] if backwards else found


def _filtered(query: Select[Any], wanted: AgentFilter) -> Select[Any]:
    query = query.where(col(Agent.deleted_at).is_(None))
    if not wanted.hidden:
        query = query.where(col(Agent.extra)["hidden"].astext.is_distinct_from("true"))
    if wanted.nothing:
        query = query.where(literal(False))
    if wanted.name is not None:
        query = query.where(col(Agent.name) == wanted.name)
    if wanted.text:
        query = query.where(col(Agent.name).icontains(wanted.text, autoescape=True))
    if wanted.tags:
        given = cast(list(wanted.tags), ARRAY(TEXT))
        query = query.where(col(Agent.tags).op("@>" if wanted.all_tags else "&&")(given))
    if wanted.identity_id is not None or wanted.identifiers:
        query = query.where(col(Agent.id).in_(_of_identities(wanted)))
    if wanted.block_id is not None:
        on_block = select(col(AgentBlock.agent_id)).where(col(AgentBlock.block_id) == wanted.block_id)
        query = query.where(col(Agent.id).in_(on_block))
    if wanted.archive_id is not None:
        on_archive = select(col(AgentArchive.agent_id)).where(col(AgentArchive.archive_id) == wanted.archive_id)
        query = query.where(col(Agent.id).in_(on_archive))
    if wanted.folder_id is not None:
        on_folder = select(col(AgentFolder.agent_id)).where(col(AgentFolder.folder_id) == wanted.folder_id)
        query = query.where(col(Agent.id).in_(on_folder))
    if wanted.stop_reasons is not None:
        query = query.where(_last_stop_reason().in_(list(wanted.stop_reasons)))
    return query


def _of_identities(wanted: AgentFilter) -> Select[Any]:
    query = select(col(AgentIdentity.agent_id))
    if wanted.identity_id is not None:
        query = query.where(col(AgentIdentity.identity_id) == wanted.identity_id)
    if wanted.identifiers:
        named = select(col(Identity.id)).where(col(Identity.identifier).in_(list(wanted.identifiers)))
        query = query.where(col(AgentIdentity.identity_id).in_(named))
    return query


def _last_stop_reason() -> Any:
    """Of the agent's newest run that ended."""
    return (
        select(cast(col(Run.stop_reason), String))
        .where(col(Run.agent_id) == col(Agent.id), col(Run.finished_at).is_not(None))
        .order_by(col(Run.position).desc())
        .limit(1)
        .correlate(Agent)
        .scalar_subquery()
    )


def _by(order: AgentOrder) -> Any:
    if order is AgentOrder.last_run_completion:
        last = select(func.max(col(Run.finished_at))).where(col(Run.agent_id) == col(Agent.id)).correlate(Agent)
        return func.coalesce(last.scalar_subquery(), NEVER)
    return col(Agent.updated_at if order is AgentOrder.updated_at else Agent.created_at)
