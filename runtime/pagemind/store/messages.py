"""Reading what was said: by place, by words, by meaning."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Message, MessageHit, Role
from pagemind.records.search import NOTHING_FILTERED, Filters
from pagemind.store import search
from pagemind.store.driver import rows
from pagemind.store.hybrid import rarest, raw_scores, vector_text
from pagemind.store.narrowing import Conditions, of_messages
from pagemind.store.neighbours import neighbours
from pagemind.store.search import Understood, Wanted
from pagemind.store.spaces import MESSAGES, Scope

SEEDS = 20
"""So many of the best by each signal bring their neighbours."""
PLACE = re.compile(r"\s*#(\d{1,9})(?:\s*(?:-|–|\.\.)\s*#?(\d{1,9}))?\s*")

_SCOPE = "FROM {table} {row} WHERE {row}.conversation_id = ANY (%(conversations)s::uuid[])"
_WHERE = " WHERE m.conversation_id = ANY (%(conversations)s::uuid[]) AND "
_HIT = """m.id, m.conversation_id, m.seq, m.role, m.content, m.created_at, m.tokens,
       m.seq >= c.resident_from OR c.kept @> jsonb_build_array(jsonb_build_object('seq', m.seq)) AS resident"""
_FROM = """
      JOIN conversations c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
"""
_FOUND = f"""
SELECT {_HIT}, b.words AS by_words, b.cosine, (SELECT to_jsonb(x) FROM extent x) AS extent
  FROM best b JOIN messages m ON m.id = b.id {_FROM} ORDER BY m.seq
"""  # noqa: S608 - constants of this module
_PLACES = f"""
SELECT {_HIT} FROM messages m {_FROM} {_WHERE} m.seq BETWEEN %(first)s AND %(last)s ORDER BY m.seq LIMIT %(pool)s
"""  # noqa: S608 - constants of this module


async def history(
    session: AsyncSession,
    conversation_id: UUID,
    *,
    after_seq: int = 0,
    before_seq: int | None = None,
    limit: int = 100,
    newest_first: bool = False,
) -> list[Message]:
    """Messages with ``after_seq < seq < before_seq`` in the order of the conversation, or the newest first."""
    query = select(Message).where(col(Message.conversation_id) == conversation_id, col(Message.seq) > after_seq)
    if before_seq is not None:
        query = query.where(col(Message.seq) < before_seq)
    order = col(Message.seq).desc() if newest_first else col(Message.seq)
    return list((await session.execute(query.order_by(order).limit(limit))).scalars())


async def listed(
    session: AsyncSession,
    conversation_id: UUID,
    *,
    after_seq: int = 0,
    before_seq: int | None = None,
    limit: int = 100,
    newest_first: bool = False,
    without_returns_of: str | None = None,
) -> list[Message]:
    """As `history`, without what only the model is told, and without the returns of that one tool."""
    query = select(Message).where(
        col(Message.conversation_id) == conversation_id, col(Message.seq) > after_seq, col(Message.role) != Role.notice
    )
    if before_seq is not None:
        query = query.where(col(Message.seq) < before_seq)
    if without_returns_of is not None:
        query = query.where(~((col(Message.role) == Role.tool) & (col(Message.name) == without_returns_of)))
    order = col(Message.seq).desc() if newest_first else col(Message.seq)
    return list((await session.execute(query.order_by(order).limit(limit))).scalars())


async def find(session: AsyncSession, message_id: UUID) -> Message | None:
    """The message; None if there is none."""
    return (await session.execute(select(Message).where(col(Message.id) == message_id))).scalar_one_or_none()


async def some(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Message]:
    """Those messages, by id."""
    found = (await session.execute(select(Message).where(col(Message.id).in_(ids)))).scalars() if ids else ()
    return {message.id: message for message in found}


def spoken_anywhere() -> Select[Message]:
    """All messages of all conversations that have their place and are for people to read."""
    return select(Message).where(col(Message.seq).is_not(None), col(Message.role) != Role.notice)


async def run_of_otid(session: AsyncSession, conversation_id: UUID, otid: str) -> UUID | None:
    """The newest run of the conversation that was sent a message under that id of the sender's own; None if there is none."""
    query = select(col(Message.run_id)).where(col(Message.conversation_id) == conversation_id, col(Message.otid) == otid)
    newest = query.where(col(Message.run_id).is_not(None)).order_by(col(Message.created_at).desc()).limit(1)
    return (await session.execute(newest)).scalar_one_or_none()


async def of_run(session: AsyncSession, run_id: UUID) -> list[Message]:
    """The run's messages, its input first."""
    query = select(Message).where(col(Message.run_id) == run_id, col(Message.role) != Role.notice)
    return list((await session.execute(query.order_by(col(Message.seq).nulls_last(), col(Message.created_at)))).scalars())


async def of_step(session: AsyncSession, run_id: UUID, step_id: UUID) -> list[Message]:
    """What the run's step said."""
    query = select(Message).where(
        col(Message.run_id) == run_id, col(Message.step_id) == step_id, col(Message.role) != Role.notice
    )
    return list((await session.execute(query.order_by(col(Message.seq)))).scalars())


async def pending(session: AsyncSession, conversation_id: UUID) -> Message | None:
    """The message at the end of the history whose calls wait for an answer; None if none do."""
    query = select(Message).where(
        col(Message.conversation_id) == conversation_id, col(Message.seq) > 0, col(Message.role) != Role.approval
    )
    last = (await session.execute(query.order_by(col(Message.seq).desc()).limit(1))).scalar_one_or_none()
    return last if last is not None and last.needs_approval else None


async def count(session: AsyncSession, conversation_id: UUID) -> int:
    """How many messages the conversation's history has."""
    query = select(func.count()).where(col(Message.conversation_id) == conversation_id, col(Message.seq).is_not(None))
    return (await session.execute(query)).scalar_one()


def scope_of(conversation_ids: UUID | Collection[UUID]) -> Scope:
    """The conversations whose messages are searched."""
    ids = [conversation_ids] if isinstance(conversation_ids, UUID) else list(conversation_ids)
    return Scope(_SCOPE, {"conversations": ids})


async def understand(session: AsyncSession, conversation_ids: UUID | Collection[UUID], query: str) -> Understood:
    """The query, for several `candidates`. One that asks for numbers has no words to look for."""
    words = query if asked_places(query) is None else ""
    return await search.understand(session, MESSAGES, scope_of(conversation_ids), words)


async def candidates(
    session: AsyncSession,
    conversation_ids: UUID | Collection[UUID],
    *,
    query: str,
    understood: Understood | None = None,
    vector: Sequence[float] | None = None,
    model: str | None = None,
    filters: Filters = NOTHING_FILTERED,
    pool: int = 100,
    exact: bool = False,
) -> list[MessageHit]:
    """The best ``pool`` messages by words and the best by meaning, with raw ``scores`` and ``score`` 0; rank them next.

    What stands next to the ``SEEDS`` best by each comes, too, and ``around`` names the neighbours of all.
    ``scores`` has ``words`` (BM25) and ``vector`` (cosine; only where ``vector`` and ``model`` are given and the message has
    its vector). A query ``#12`` or ``#12-#20`` looks up by place instead, in order, with ``scores`` ``{"place": 1}``.
    Without a query they are the newest. Of the filters, ``roles``, times and ``identity_ids`` (the senders) count.
    ``understood`` is the query where `understand` had it before; ``exact`` looks at every message, whatever it costs.
    """
    everything = scope_of(conversation_ids)
    scope = {**everything.values, "pool": pool}
    places = asked_places(query)
    if places is not None:
        found = await rows(session, _PLACES, {**scope, "first": places[0], "last": places[1]})
        return [message_hit(row, {"place": 1.0}) for row in found]
    narrow = of_messages(filters)
    if not query.strip():
        newest = f"SELECT {_HIT} FROM messages m {_FROM} {_WHERE} {narrow.sql} ORDER BY m.seq DESC LIMIT %(pool)s"  # noqa: S608
        return [message_hit(row, {"place": 1.0}) for row in await rows(session, newest, {**scope, **narrow.values})]
    understood = understood or await search.understand(session, MESSAGES, everything, query)
    terms = await rarest(session, MESSAGES, everything, narrow, understood.terms)
    wanted = Wanted(replace(understood, terms=terms), vector_text(vector), model, pool, filters=filters, exact=exact)
    found = await search.search(session, MESSAGES, everything, narrow, wanted, _FOUND)
    return await with_neighbours(session, narrow, wanted, found) if found else []


async def with_neighbours(
    session: AsyncSession, narrow: Conditions, wanted: Wanted, found: Sequence[Row[Any]]
) -> list[MessageHit]:
    """What was found and what stands next to the best of it, each with its neighbours."""
    by_words = sorted((row for row in found if row.by_words > 0), key=lambda row: -row.by_words)
    by_meaning = sorted((row for row in found if row.cosine is not None), key=lambda row: -row.cosine)
    seeds = {row.id for row in (*by_words[:SEEDS], *by_meaning[:SEEDS])}
    hits = {row.id: message_hit(row, raw_scores(row.by_words, row.cosine)) for row in found}
    beside = await neighbours(session, narrow, wanted, found[0].extent, list(hits), list(seeds), hit=_HIT, joins=_FROM)
    for row in beside:
        if row.fresh:
            hits[row.id] = message_hit(row, raw_scores(row.by_words, row.cosine))
    return [replace(hits[row.of], around=around_of(row)) for row in beside]


def around_of(row: Row[Any]) -> dict[int, UUID]:
    """The ids of its neighbours, by how far before or after it they stand."""
    earlier: list[UUID] = row.earlier
    later: list[UUID] = row.later
    before = {-distance: message_id for distance, message_id in enumerate(earlier, start=1)}
    return {**before, **dict(enumerate(later, start=1))}


def asked_places(query: str) -> tuple[int, int] | None:
    """First and last ``seq`` that a query of the form ``#12`` or ``#12-#20`` asks for, else None."""
    match = PLACE.fullmatch(query)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return min(first, last), max(first, last)


def message_hit(row: Row[Any], scores: dict[str, float]) -> MessageHit:
    """A row as a hit that is yet to be scored."""
    return MessageHit(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        role=row.role,
        content=row.content,
        created_at=row.created_at,
        score=0.0,
        resident=row.resident,
        tokens=row.tokens,
        scores=scores,
    )
