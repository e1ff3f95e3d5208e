"""Archival memory from outside: passages stored one by one or in bulk, searched, and archives that agents share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.engine.recall import recall_passages
from pagemind.errors import EmptyPassage, PassageTooLong
from pagemind.records import Filters, Json, Passage, PassageHit, now
from pagemind.records.base import record_of
from pagemind.records.text import clean_text
from pagemind.store import agents, archives, passages
from pagemind.store.inserts import insert_for_agent, insert_many
from pagemind.store.passages import Within

NOWHERE = UUID(int=0)
"""Where a passage is before its archive is known."""


@dataclass(frozen=True)
class Draft:
    """A passage to be stored. Without ``created_at`` it is of now; ``extra`` is kept for the front."""

    text: str
    tags: Sequence[str] = ()
    created_at: datetime | None = None
    extra: Json | None = None


@dataclass(frozen=True)
class Wanted:
    """What is looked for: in which scope, by which query; None for the newest."""

    owner: UUID | None
    within: Within
    query: str | None
    tags: Sequence[str] = ()
    all_tags: bool = False
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 10


async def insert(kernel: Kernel, agent_id: UUID, draft: Draft, source: str) -> Passage:
    """Store a passage in the archive that the agent writes to; its vector follows.

    Raises UnknownAgent, EmptyPassage, PassageTooLong.
    """
    passage = made(kernel, draft, source, now())
    archive_id = await insert_for_agent(kernel.database, agent_id, passage)
    if archive_id is not None:
        passage.archive_id = archive_id
        return passage
    async with kernel.database.transaction() as session:
        passage.archive_id = (await archives.archive_of(session, await agents.get(session, agent_id))).id
        await passages.insert(session, passage)
    return passage


async def insert_all(kernel: Kernel, archive_id: UUID, drafts: Sequence[Draft], source: str) -> list[Passage]:
    """Store passages in an archive, in their order; their vectors follow. UnknownRecord, EmptyPassage, PassageTooLong."""
    # A microsecond apart, so that they are listed in this order.
    began = now()
    stored = [made(kernel, draft, source, began + timedelta(microseconds=n)) for n, draft in enumerate(drafts)]
    async with kernel.database.transaction() as session:
        archive = await archives.get(session, archive_id)
        for passage in stored:
            passage.archive_id = archive.id
        if stored:
            await insert_many(session, kernel.database.tenant_id, archive.id, stored)
    return stored


def made(kernel: Kernel, draft: Draft, source: str, at: datetime) -> Passage:
    """The passage; its archive is yet to be found."""
    text = clean_text(draft.text)
    if not text.strip():
        raise EmptyPassage
    limit = kernel.settings.message_limit_chars
    if len(text) > limit:
        raise PassageTooLong(length=f"{len(text):,}", limit=f"{limit:,}")
    values = {
        "tenant_id": kernel.database.tenant_id,
        "archive_id": NOWHERE,
        "text": text,
        "tags": list(dict.fromkeys(clean_text(tag) for tag in draft.tags)),
        "source": source,
        "extra": draft.extra or {},
        "created_at": draft.created_at or at,
    }
    return record_of(Passage, values)


async def search(kernel: Kernel, wanted: Wanted) -> list[tuple[Passage, float]]:
    """The passages that are wanted with their scores, the best first; the newest where there is no query."""
    query = None if wanted.query is None else clean_text(wanted.query)
    if query is None:
        async with kernel.database.transaction() as session:
            found = await passages.newest(
                session,
                wanted.owner,
                wanted.within,
                filters=Filters(tags=tuple(wanted.tags), all_tags=wanted.all_tags, after=wanted.after, before=wanted.before),
                limit=wanted.limit,
            )
        return [(passage, 0.0) for passage in found]
    if not query.strip():
        return []
    hits = await recall_passages(
        kernel,
        wanted.owner,
        query,
        within=wanted.within,
        tags=wanted.tags,
        all_tags=wanted.all_tags,
        top_k=wanted.limit,
        after=wanted.after,
        before=wanted.before,
        rest=True,
    )
    return [(found_passage(kernel, hit), hit.score) for hit in hits]


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
