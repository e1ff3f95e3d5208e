"""The shadow comparison: what another embedding model would find for the queries of late, beside what the serving one finds."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from pagemind.engine.embedders import Serving, at_model
from pagemind.engine.kernel import Kernel
from pagemind.engine.recall import Search, recall_messages, recall_passages
from pagemind.engine.swap import chosen
from pagemind.errors import NoQueries, UnknownEmbedder
from pagemind.memory.overlap import BEST, Mean, first_sentence, mean_of, overlap
from pagemind.model.embedder import Embedder, make_embedder
from pagemind.records import Policy
from pagemind.store import embedding_models, embeddings, searches
from pagemind.store.messages import PLACE
from pagemind.store.passages import Within
from pagemind.store.searches import Call, Near, Place

TOOLS: dict[str, Place] = {"archival_memory_search": "agent", "conversation_search": "conversation"}
CALLS_A_QUERY = 20
"""So many calls are looked at for each query that is wanted: agents search for the same again and again."""
QUERY_LIMIT_CHARS = 8_000
WITHIN: dict[Place, Within] = {"agent": Within.agent, "archive": Within.archive, "tenant": Within.tenant}
PLAIN = Policy(rerank=False)

Source = Literal["searches", "file", "passages"]


@dataclass(frozen=True)
class Query:
    """What is searched for, and where."""

    text: str
    place: Place
    owner: UUID | None


@dataclass(frozen=True)
class Compared:
    """One query under both models: the overlap of the best ten, and the best of each by meaning alone."""

    query: str
    place: Place
    by_meaning: float
    fused: float
    choice: bool
    """Whether there were more than ten texts to choose from; else the overlap by meaning says nothing."""
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """All queries, the one with the least overlap first."""

    serving: str
    model: str
    source: Source
    lacking: int
    by_meaning: Mean
    fused: Mean
    queries: Sequence[Compared]


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    kernel: Kernel
    embedder: Embedder


async def compare(
    kernel: Kernel, name: str | None, given: Sequence[str], last: int, told: Callable[[int, int], None]
) -> Comparison:
    """Search by both models for the ``given`` queries, else for the latest ``last`` ones of the agents.

    Where there are none, the first sentences of the newest passages stand in. Nothing is changed. Raises NoQueries,
    UnknownEmbedder, EmbedderServes, EmbedderUnclear, EmbedderError, StoreError.
    """
    async with kernel.database.transaction() as session:
        models = await embedding_models.of_tenant(session, kernel.database.tenant_id)
        other = chosen(models, name)
        lacking = await embeddings.waiting(session, other.model)
    if models.serving is None:
        raise UnknownEmbedder(name=kernel.embedder.name)
    source, queries = await queries_of(kernel, given, last)
    compared: list[Compared] = []
    async with beside(kernel, other.model, other.url, other.dimensions) as shadow:
        for query in queries:
            told(len(compared), len(queries))
            compared.append(await compare_one(query, Side(kernel, kernel.embedder), shadow))
    told(len(compared), len(queries))
    compared.sort(key=lambda each: (each.by_meaning, each.fused))
    by_meaning, fused = mean_of([each.by_meaning for each in compared]), mean_of([each.fused for each in compared])
    return Comparison(models.serving, other.model, source, lacking, by_meaning, fused, compared)


@asynccontextmanager
async def beside(kernel: Kernel, model: str, url: str | None, dimensions: int) -> AsyncGenerator[Side]:
    """The kernel as it would be with this model."""
    embedder = make_embedder(at_model(kernel.settings, model, url))
    try:
        await kernel.embedder.ready()
        await embedder.ready()
        yield Side(replace(kernel, serving=Serving(embedder, dimensions)), embedder)
    finally:
        await embedder.close()


async def queries_of(kernel: Kernel, given: Sequence[str], last: int) -> tuple[Source, list[Query]]:
    """The queries to compare by, and where they came from. NoQueries where there are none at all."""
    if given:
        texts = dict.fromkeys(each.strip()[:QUERY_LIMIT_CHARS] for each in given if each.strip())
        return "file", [Query(each, "tenant", None) for each in texts] or nothing()
    async with kernel.database.transaction() as session:
        calls = await searches.calls(session, [*TOOLS], last * CALLS_A_QUERY)
        if queries := list(dict.fromkeys(query for call in calls if (query := asked(call))))[:last]:
            return "searches", queries
        newest = await searches.newest_passages(session, last)
    made = dict.fromkeys(Query(first_sentence(text), "archive", archive_id) for archive_id, text in newest)
    return "passages", [query for query in made if query.text] or nothing()


def nothing() -> list[Query]:
    """Raise NoQueries."""
    raise NoQueries


def asked(call: Call) -> Query | None:
    """The query of a search by an agent; None for one that did not ask for a meaning."""
    try:
        query = json.loads(call.arguments).get("query")
    except (ValueError, AttributeError):
        return None
    if not isinstance(query, str) or not query.strip() or PLACE.match(query):
        return None
    place = TOOLS[call.name]
    return Query(query.strip()[:QUERY_LIMIT_CHARS], place, call.agent_id if place == "agent" else call.conversation_id)


async def compare_one(query: Query, before: Side, after: Side) -> Compared:
    """One query by both models."""
    old, new = await nearest(query, before), await nearest(query, after)
    fused_old, fused_new = await searched(query, before.kernel), await searched(query, after.kernel)
    return Compared(
        query.text,
        query.place,
        overlap([each.id for each in old], [each.id for each in new]),
        overlap(fused_old, fused_new),
        max(len(old), len(new)) > BEST,
        old[0].text if old else "",
        new[0].text if new else "",
    )


async def nearest(query: Query, side: Side) -> list[Near]:
    """The best by meaning alone, and one more that tells whether there was a choice."""
    [vector] = await side.embedder.embed([query.text], kind="query")
    async with side.kernel.database.transaction() as session:
        return await searches.nearest(session, query.place, query.owner, vector, side.embedder.name, BEST + 1)


async def searched(query: Query, kernel: Kernel) -> list[UUID]:
    """The best by words and meaning together, as a search gives them."""
    search = Search(query.text, policy=PLAIN, limit=BEST)
    if query.place == "conversation" and query.owner is not None:
        return [hit.id for hit in await recall_messages(kernel, query.owner, search)]
    return [hit.id for hit in await recall_passages(kernel, query.owner, search, within=WITHIN[query.place])]
