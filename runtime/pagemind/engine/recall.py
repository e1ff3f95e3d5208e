"""Recall: what a query pages in, by words and by meaning. Every search of passages and messages goes through here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.engine.rerank import reranked
from pagemind.errors import EmbedderError
from pagemind.memory.choosing import chosen
from pagemind.memory.dates import Span, sessions_ago, spans_of
from pagemind.memory.ranking import SIGNALS, SITTING, Asked, Ingredients, ranked
from pagemind.records import Filters, Found, MessageHit, PassageHit, Policy, now
from pagemind.records.search import Hit
from pagemind.records.text import clean_text
from pagemind.store import embeddings, messages, passages, sittings
from pagemind.store.database import AsyncSession
from pagemind.store.passages import Lacking, Within

POOL = 50
"""How many candidates each signal names at least; with all rows nothing is found better (docs/retrieval.md)."""
DATED_POOL = 20
"""How many more it names of a time that the query names."""
QUERY_CHARS = 4_000
"""A longer query, such as a pasted document, is searched by its beginning: each of its words would be looked up."""
TIMES = 4
"""Of the times that a query names so many are looked up; each is a search of its own."""
FILLED_AT_ONCE = 64
FILL_SECONDS = 5.0


@dataclass(frozen=True)
class Search:
    """What is looked for: the query, what a hit must be, how hits are weighed, and how many are wanted at most."""

    query: str
    filters: Filters = field(default_factory=Filters)
    policy: Policy = field(default_factory=Policy)
    limit: int = 10
    ingredients: Ingredients = field(default_factory=Ingredients)

    @property
    def pool(self) -> int:
        """How many candidates each signal names: enough for the near misses, too."""
        return max(POOL, 2 * self.limit)

    @property
    def sound(self) -> Search:
        """The same as the store takes it: without letters that it refuses, as long as is looked at, no less than nothing."""
        filters = replace(
            self.filters,
            tags=tuple(map(clean_text, self.filters.tags)),
            sources=tuple(map(clean_text, self.filters.sources)),
            roles=tuple(map(clean_text, self.filters.roles)),
        )
        return replace(self, query=clean_text(self.query[:QUERY_CHARS]), filters=filters, limit=max(0, self.limit))


async def recall_passages(
    kernel: Kernel, owner: UUID | None, search: Search, *, within: Within = Within.agent, rest: bool = False
) -> Found[PassageHit]:
    """The passages in that scope for the query, the best first; none that was superseded or has expired.

    With ``rest`` those for which nothing speaks follow, as far as the limit goes.
    """
    began = time.monotonic()
    kernel, search = kernel.still(), search.sound
    vector = await query_vector(kernel, search)
    spans, model = spans_of(search.query, now()), kernel.embedder.name

    async def candidates(session: AsyncSession) -> list[PassageHit]:
        understood = await passages.understand(session, owner, within, search.query)

        async def of(filters: Filters, pool: int) -> list[PassageHit]:
            return await passages.candidates(
                session,
                owner,
                within=within,
                query=search.query,
                understood=understood,
                vector=vector,
                model=model,
                filters=filters,
                confidence=search.policy.confidence,
                pool=pool,
            )

        return await with_dated(of, search, spans)

    async with kernel.database.transaction() as session:
        fresh = await passages.lacking(session, owner, within, model, FILLED_AT_ONCE) if vector else []
        looked_at = [] if fresh else await candidates(session)
    if fresh:
        await fill(kernel, fresh)
        async with kernel.database.transaction() as session:
            looked_at = await candidates(session)
    found = await best_of(kernel, looked_at, search, spans, began)
    if search.policy.refresh_on_access:
        kernel.accesses.note(hit.id for hit in found.hits)
    if not rest or search.policy.min_similarity is not None:
        return found
    return replace(found, hits=(*found.hits, *unspoken(looked_at))[: search.limit])


async def recall_messages(
    kernel: Kernel, conversation_ids: UUID | Collection[UUID], search: Search, *, before_seq: int | None = None
) -> Found[MessageHit]:
    """The conversations' messages for the query, the best first; ``#12`` or ``#12-#20`` asks for them by number.

    Without a query they are the newest. Without roles only what was said is searched: a tool's return is mostly an echo of
    something that was found before. ``before_seq`` leaves out what came later.
    """
    began = time.monotonic()
    kernel, search = kernel.still(), search.sound
    vector = await query_vector(kernel, search) if search.query.strip() else None
    async with kernel.database.transaction() as session:
        spans = [*spans_of(search.query, now()), *await sitting_spans(session, conversation_ids, search.query)]
        understood = await messages.understand(session, conversation_ids, search.query)

        async def of(filters: Filters, pool: int) -> list[MessageHit]:
            return await messages.candidates(
                session,
                conversation_ids,
                query=search.query,
                understood=understood,
                vector=vector,
                model=kernel.embedder.name,
                filters=filters,
                pool=pool,
            )

        looked_at = await with_dated(of, search, spans)
    earlier = [hit for hit in looked_at if before_seq is None or hit.seq < before_seq]
    return await best_of(kernel, earlier, search, spans, began)


async def query_vector(kernel: Kernel, search: Search) -> list[float] | None:
    """The query's vector; None where meaning is left out or the embedder fails: then words must do."""
    return await kernel.vector(search.query, "query") if search.ingredients.vector else None


async def with_dated(
    candidates: Callable[[Filters, int], Awaitable[list[Hit]]], search: Search, spans: Sequence[Span]
) -> list[Hit]:
    """The candidates, and those of the times that the query names: "what did we do yesterday" has no better words."""
    found = {hit.id: hit for hit in await candidates(search.filters, search.pool)}
    for span in spans[:TIMES] if search.ingredients.dates and found else ():
        for hit in await candidates(narrowed(search.filters, span), DATED_POOL):
            found.setdefault(hit.id, hit)
    return list(found.values())


def narrowed(filters: Filters, span: Span) -> Filters:
    """The filters, and of that time."""
    earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return replace(filters, after=max(filters.after or earliest, span.start), before=min(filters.before or latest, span.end))


async def sitting_spans(session: AsyncSession, conversation_ids: UUID | Collection[UUID], query: str) -> list[Span]:
    """The sitting that the query counts back to ("three sessions ago"), if it does and there was one."""
    asked = sessions_ago(query)
    if asked is None:
        return []
    ends = await sittings.newest(session, conversation_ids, apart=SITTING, limit=asked.count + 1)
    # The newest is the present one where it goes on still.
    back = asked.count if ends and now() - ends[0][1] <= SITTING else asked.count - 1
    return [Span(*ends[back], asked.words, exact=True)] if 0 <= back < len(ends) else []


async def best_of(kernel: Kernel, candidates: Sequence[Hit], search: Search, spans: Sequence[Span], began: float) -> Found[Hit]:
    """The best of the candidates, what came near, and what was made of the query."""
    order: Iterable[Hit] = ranked(candidates, Asked(search.query, now(), spans, search.policy, search.ingredients))
    notes = [f"{span.words}: {span.start:%Y-%m-%d} to {span.end:%Y-%m-%d}" for span in spans]
    if kernel.second_stage is not None or search.policy.rerank:
        order, note = await reranked(kernel, search.query, list(order), search.policy)
        notes += [note] if note else []
    found = chosen(order, search.limit, search.policy)
    return replace(found, notes=tuple(notes), seconds=time.monotonic() - began)


def unspoken(candidates: Sequence[PassageHit]) -> list[PassageHit]:
    """Those that neither words nor meaning speak for, the nearest first."""
    silent = (hit for hit in candidates if max(hit.scores.get(signal, 0.0) for signal in SIGNALS) <= 0)
    return sorted(silent, key=lambda hit: -hit.scores.get("vector", -1.0))


async def fill(kernel: Kernel, fresh: Sequence[Lacking]) -> None:
    """Give vectors to what was stored just now, so that it is found by its meaning at once.

    The indexer would, too, in its own time. An embedder that takes longer, or fails, is not waited for: then words must do.
    """
    try:
        async with asyncio.timeout(FILL_SECONDS):
            vectors = await kernel.embedder.embed([each.text for each in fresh], kind="document")
    except (EmbedderError, TimeoutError):
        return
    if kernel.stored_dimensions not in (None, len(vectors[0])):
        return
    rows = {each.id: vector for each, vector in zip(fresh, vectors, strict=True)}
    async with kernel.database.transaction() as session:
        await embeddings.lay(session, kernel.database.tenant_id, kernel.embedder.name, "passage", rows)
