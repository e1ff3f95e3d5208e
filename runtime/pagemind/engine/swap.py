"""The embedder swap: another model's vectors are laid beside those that serve, then it serves, and the old ones may go.

Every step may be stopped anywhere and called again. What is stored meanwhile gets the old model's vector at once, from whoever
stores it, and the new one's from the queue: searches never wait for a swap.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from pagemind.engine.embedders import at_model, full_name
from pagemind.engine.laying import BATCH, lay_batch, queue_all
from pagemind.errors import BadEmbedderURL, EmbedderBehind, EmbedderServes, EmbedderUnclear, EmbedderWidth, UnknownEmbedder
from pagemind.model.embedder import Embedder, make_embedder
from pagemind.records import EmbeddingModel, now
from pagemind.settings import Settings
from pagemind.store import embedding_models, embeddings, vector_walks
from pagemind.store.database import AsyncSession, Database
from pagemind.store.embedding_models import Models

HOLD_SECONDS = 30.0
"""A server takes over so long after whoever adds a model has died."""
TAIL_TEXTS = 64
"""What came in while a model was added; a switch lays so many vectors itself."""
JUST_NOW_SECONDS = 10.0
"""Texts stored so lately do not keep a model from serving: their vectors are on their way, and words find them."""
COUNT_SECONDS = 5.0

State = Literal["serving", "adding", "ready", "retired"]
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Standing:
    """How far a model is. ``lacking`` are the texts without a vector by it, of which it ``refused`` some."""

    model: str
    state: State
    dimensions: int
    url: str | None
    vectors: int
    lacking: int
    refused: int
    texts: int
    bytes: int
    held: bool
    added_at: datetime
    served_at: datetime | None


@dataclass(frozen=True)
class Added:
    """What adding a model did: texts embedded by this call, texts refused."""

    model: str
    embedded: int
    refused: int


async def standings(database: Database) -> list[Standing]:
    """Each model of the tenant, the one that serves first. Counts every text and vector: a second at a million."""
    async with database.transaction() as session:
        models = await embedding_models.of_tenant(session, database.tenant_id)
        texts = await vector_walks.count_texts(session)
        vectors = await vector_walks.count_vectors(session)
        found: list[Standing] = []
        for each in models.all:
            refused = await embeddings.refused(session, each.model)
            lacking = await vector_walks.count_lacking(session, each.model)
            found.append(standing(each, models.serving, texts, vectors.get(each.model, 0), lacking, refused))
    return sorted(found, key=lambda each: each.state != "serving")


def standing(model: EmbeddingModel, serving: str | None, texts: int, vectors: int, lacking: int, refused: int) -> Standing:
    """A model's state and size; a vector of n numbers in half precision takes 2 n + 8 bytes, without its row."""
    complete: State = "ready" if lacking <= refused else "adding"
    state: State = "serving" if model.model == serving else complete if model.kept_up else "retired"
    held = model.held_until is not None and model.held_until > now()
    return Standing(
        model.model, state, model.dimensions, model.url, vectors, lacking, refused, texts,
        vectors * (2 * model.dimensions + 8), held, model.added_at, model.served_at,
    )  # fmt: skip


async def add(
    database: Database, settings: Settings, name: str, *, url: str | None, told: Told, background: bool = False
) -> Added:
    """Lay this model's vectors beside those that serve, or go on with that. ``told`` hears how many texts have theirs, of all.

    In the ``background`` the server that runs on this home does it. Raises EmbedderError, EmbedderServes, EmbedderWidth,
    BadEmbedderURL, StoreError.
    """
    name = full_name(name)
    check_url(url)
    async with database.transaction() as session:
        models = await embedding_models.of_tenant(session, database.tenant_id)
    known = models.find(name)
    if models.serving == name:
        raise EmbedderServes(model=name)
    embedder = make_embedder(at_model(settings, name, url or (known.url if known else None)))
    try:
        await embedder.ready()
        if known is not None and known.dimensions != embedder.dimensions:
            raise EmbedderWidth(model=name, known=known.dimensions, dimensions=embedder.dimensions)
        async with database.transaction() as session:
            await embedding_models.add(session, database.tenant_id, name, embedder.dimensions, url)
        done = 0 if background else await lay_all(database, embedder, told)
    finally:
        await embedder.close()
    async with database.transaction() as session:
        return Added(name, done, await embeddings.refused(session, name))


async def lay_all(database: Database, embedder: Embedder, told: Told) -> int:
    """Lay every vector that is missing by this embedder, with no help of a server; how many texts that were."""
    async with held(database, embedder.name):
        await queue_all(database, embedder.name)
        done, before, total, counted_at = 0, 0, 0, -math.inf
        while True:
            if time.monotonic() - counted_at > COUNT_SECONDS:
                total, left = await extent(database, embedder.name)
                before, counted_at = total - left - done, time.monotonic()
            told(before + done, max(total, before + done))
            batch = await lay_batch(database, embedder, pieces=BATCH)
            done += batch
            if not batch:
                return done
            async with database.transaction() as session:
                await embedding_models.hold(session, embedder.name, HOLD_SECONDS)


async def extent(database: Database, model: str) -> tuple[int, int]:
    """How many texts there are, and how many of them wait for their vector by the model."""
    async with database.transaction() as session:
        return await vector_walks.count_texts(session), await embeddings.waiting(session, model)


@asynccontextmanager
async def held(database: Database, model: str) -> AsyncGenerator[None]:
    """Within, servers leave this model's vectors to us; after a crash they take over by themselves."""
    async with database.transaction() as session:
        await embedding_models.hold(session, model, HOLD_SECONDS)
    try:
        yield
    finally:
        async with database.transaction() as session:
            await embedding_models.hold(session, model, 0)


async def switch(database: Database, settings: Settings, name: str | None) -> tuple[str | None, str]:
    """Let the model serve; the one before, and the one that serves now. Servers follow within seconds.

    Raises EmbedderUnclear, UnknownEmbedder, EmbedderServes, EmbedderBehind while texts lack vectors, StoreError.
    """
    async with database.transaction() as session:
        models = await embedding_models.of_tenant(session, database.tenant_id)
        model = chosen(models, name)
        left = await embeddings.waiting(session, model.model)
    if model.kept_up and model.queued and 0 < left <= TAIL_TEXTS:
        await lay_tail(database, settings, model)
    async with database.transaction() as session:
        await embedding_models.lock(session, database.tenant_id)
        models = await embedding_models.of_tenant(session, database.tenant_id)
        model = chosen(models, model.model)
        left = await lacking(session, model)
        if left:
            raise EmbedderBehind(model=model.model, count=f"{left:,}")
        await embedding_models.serve(session, database.tenant_id, model, models.serving)
    return models.serving, model.model


async def lacking(session: AsyncSession, model: EmbeddingModel) -> int:
    """How many texts keep the model from serving: a model that is not kept up has them counted."""
    if model.kept_up and model.queued:
        return await embeddings.waiting(session, model.model, older_seconds=JUST_NOW_SECONDS)
    return await vector_walks.count_lacking(session, model.model)


async def lay_tail(database: Database, settings: Settings, model: EmbeddingModel) -> None:
    """Lay the few vectors that are missing since the model was added."""
    embedder = make_embedder(at_model(settings, model.model, model.url))
    try:
        while await lay_batch(database, embedder, pieces=BATCH):
            pass
    finally:
        await embedder.close()


async def remove(database: Database, name: str, told: Callable[[int], None]) -> int:
    """Delete a model's vectors, a bounded batch at a time; how many. ``told`` hears how many are gone so far.

    Raises UnknownEmbedder, EmbedderServes, StoreError.
    """
    async with database.transaction() as session:
        await embedding_models.lock(session, database.tenant_id)
        models = await embedding_models.of_tenant(session, database.tenant_id)
        model = known_model(models, name)
        if model.model == models.serving:
            raise EmbedderServes(model=model.model)
        await embedding_models.give_up(session, model.model)
    gone = 0
    for kind in embeddings.KINDS:
        after = vector_walks.FIRST
        while after is not None:
            async with database.transaction() as session:
                part = await vector_walks.remove_part(session, model.model, kind, after)
            after, gone = part.last, gone + part.vectors
            told(gone)
    async with database.transaction() as session:
        await embedding_models.delete(session, model.model)
    return gone


def chosen(models: Models, name: str | None) -> EmbeddingModel:
    """The model of that name, or the only one that is being added; it must not serve already.

    Raises UnknownEmbedder, EmbedderServes, EmbedderUnclear.
    """
    if name is None:
        beside = [each for each in models.kept_up if each.model != models.serving]
        if len(beside) != 1:
            raise EmbedderUnclear(count=len(beside) or "no")
        return beside[0]
    model = known_model(models, name)
    if model.model == models.serving:
        raise EmbedderServes(model=model.model)
    return model


def known_model(models: Models, name: str) -> EmbeddingModel:
    """The model of that name. UnknownEmbedder."""
    model = models.find(name) or models.find(full_name(name))
    if model is None:
        raise UnknownEmbedder(name=name)
    return model


def check_url(url: str | None) -> None:
    """Refuse a URL that is none, or has a password in it: it is stored. BadEmbedderURL."""
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.query:
        raise BadEmbedderURL
