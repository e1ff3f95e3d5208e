"""Archival memory from outside: passages stored one by one or in bulk, searched, and archives that agents share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import lifetime_of
from pagemind.engine.recall import Search, recall_passages
from pagemind.errors import EmptyPassage, PassageTooLong
from pagemind.memory.duplicates import gist
from pagemind.records import Json, Origin, Passage, PassageHit, now
from pagemind.records.base import record_of
from pagemind.records.text import clean_text
from pagemind.store import agents, archives, once, passages
from pagemind.store.database import AsyncSession
from pagemind.store.passages import Within

NOWHERE = UUID(int=0)
"""Where a passage is before its archive is known."""


@dataclass(frozen=True)
class Draft:
    """A passage to be stored by hand. Without ``created_at`` it is of now; ``extra`` is kept for the front."""

    text: str
    tags: Sequence[str] = ()
    created_at: datetime | None = None
    extra: Json | None = None
    source: str = ""
    """Where it comes from, where that is not who stores it."""
    origin: Origin = Origin.stated
    confidence: float | None = None
    identity_id: UUID | None = None
    review_by: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Kept:
    """A passage that stands in the archive: a new one, or one that said the same before."""

    passage: Passage
    is_new: bool


async def insert(kernel: Kernel, agent_id: UUID, draft: Draft, source: str) -> Kept:
    """Store a passage in the archive that the agent writes to, unless it stands there; its vector follows.

    What the draft does not say of how long it is good, the agent's definition says. Raises UnknownAgent, EmptyPassage,
    PassageTooLong.
    """
    at = now()
    passage = made(kernel, draft, source, at)
    placed = await once.store_for_agent(kernel.database, agent_id, passage)
    if placed is not None and placed.archive_id is not None and placed.id == passage.id:
        passage.archive_id, passage.expires_at, passage.review_by = placed.archive_id, placed.expires_at, placed.review_by
        return Kept(passage, is_new=True)
    async with kernel.database.transaction() as session:
        if placed is not None and placed.id is not None:
            return Kept((await passages.by_ids(session, [placed.id]))[placed.id], is_new=False)
        agent = await agents.get(session, agent_id)
        passage.archive_id = (await archives.archive_of(session, agent)).id
        life = lifetime_of(agent, passage.origin, at)
        passage.expires_at, passage.review_by = passage.expires_at or life.expires_at, passage.review_by or life.review_by
        [kept] = await keep_all(session, [passage])
    return kept


async def insert_all(kernel: Kernel, archive_id: UUID, drafts: Sequence[Draft], source: str) -> list[Kept]:
    """Store passages in an archive, unless they stand there, in their order; their vectors follow.

    Raises UnknownRecord, EmptyPassage, PassageTooLong.
    """
    # A microsecond apart, so that they are listed in this order.
    began = now()
    wanted = [made(kernel, draft, source, began + timedelta(microseconds=n)) for n, draft in enumerate(drafts)]
    async with kernel.database.transaction() as session:
        archive = await archives.get(session, archive_id)
        for passage in wanted:
            passage.archive_id = archive.id
        return await keep_all(session, wanted)


async def keep_all(session: AsyncSession, wanted: Sequence[Passage]) -> list[Kept]:
    """Store those that do not stand; what the others say is laid upon what does."""
    known = await once.insert_once(session, wanted)
    told: dict[UUID, Passage] = {}
    for passage in wanted:
        if passage.id in known:
            told[known[passage.id]] = once.joined(told.get(known[passage.id]), passage)
    await once.merge(session, told)
    standing = await passages.by_ids(session, list(told)) if told else {}
    return [
        Kept(standing[known[passage.id]], is_new=False) if passage.id in known else Kept(passage, is_new=True)
        for passage in wanted
    ]


def made(
    kernel: Kernel, draft: Draft, source: str, at: datetime, archive_id: UUID = NOWHERE, *, by_gist: bool = True
) -> Passage:
    """The passage; its archive may have to be found yet. ``by_gist``: one that says the same may stand in its place.

    Raises EmptyPassage, PassageTooLong.
    """
    text = clean_text(draft.text)
    if not text.strip():
        raise EmptyPassage
    limit = kernel.settings.message_limit_chars
    if len(text) > limit:
        raise PassageTooLong(length=f"{len(text):,}", limit=f"{limit:,}")
    values = {
        "tenant_id": kernel.database.tenant_id,
        "archive_id": archive_id,
        "text": text,
        "tags": list(dict.fromkeys(clean_text(tag) for tag in draft.tags)),
        "source": draft.source or source,
        "extra": draft.extra or {},
        "created_at": draft.created_at or at,
        "origin": draft.origin,
        "confidence": draft.confidence,
        "identity_id": draft.identity_id,
        "review_by": draft.review_by,
        "expires_at": draft.expires_at,
        "gist": gist(text) if by_gist else None,
    }
    return record_of(Passage, values)


async def search(kernel: Kernel, owner: UUID | None, within: Within, wanted: Search) -> Sequence[PassageHit]:
    """The passages of that scope that are wanted, the best first."""
    if not wanted.sound.query.strip():
        return ()
    return await recall_passages(kernel, owner, wanted, within=within, rest=True)


async def newest(kernel: Kernel, owner: UUID | None, within: Within, wanted: Search) -> list[Passage]:
    """The newest passages of that scope that its filters let through."""
    wanted = wanted.sound
    async with kernel.database.transaction() as session:
        return await passages.newest(session, owner, within, filters=wanted.filters, limit=wanted.limit)


def found_passage(kernel: Kernel, hit: PassageHit) -> Passage:
    """The passage that a search found."""
    values = {
        "tenant_id": kernel.database.tenant_id,
        "id": hit.id,
        "archive_id": hit.archive_id or NOWHERE,
        "text": hit.text,
        "tags": list(hit.tags),
        "source": hit.source,
        "file_id": hit.file_id,
        "extra": hit.extra,
        "created_at": hit.created_at,
    }
    return record_of(Passage, values)
