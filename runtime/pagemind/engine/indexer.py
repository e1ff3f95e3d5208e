"""The indexer: gives a vector to every message and passage that has none, by each model that is kept up, the serving one first.

It is also what notices, at each look, that another model serves now. It may stop anywhere: what is missing shows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from pagemind.engine.embedders import Embedders
from pagemind.engine.kernel import Kernel
from pagemind.engine.laying import BATCH, lay_batch, queue_all
from pagemind.engine.serving import follow
from pagemind.errors import EmbedderError, StoreError
from pagemind.model.embedder import Embedder
from pagemind.records import EmbeddingModel, now
from pagemind.store import embedding_models, embeddings
from pagemind.store.database import Database
from pagemind.store.embedding_models import Models
from pagemind.store.embeddings import PIECES_AT_ONCE

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
GATHER_SECONDS = 0.05
"""Where texts come one by one, those that follow at once go with the first."""
AFTER_RUNS_SECONDS = 2.0
"""What runs said may lack its vectors for so long: words find it meanwhile, and a busy server has runs to carry."""
PAUSE_AFTER_FAILURE_SECONDS = 10.0


class Indexer:
    """Embeds in the background, in bulk, behind the queries."""

    def __init__(self, kernel: Kernel, embedders: Embedders) -> None:
        self._kernel = kernel
        self._embedders = embedders
        self._wake = asyncio.Event()
        self._after_runs: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """There may be something new."""
        self._wake.set()

    def run_ended(self) -> None:
        """There is something new, which can wait a moment for more."""
        if self._after_runs is None:
            self._after_runs = asyncio.get_running_loop().call_later(AFTER_RUNS_SECONDS, self._wake_after_runs)

    def _wake_after_runs(self) -> None:
        self._after_runs = None
        self.wake()

    async def serve(self) -> None:
        """Index until cancelled; an embedder or store that fails is tried again later."""
        while True:
            self._wake.clear()
            pause = POLL_SECONDS
            try:
                began = time.monotonic()
                while await self.index_some():
                    # Where there is much to do, runs have the other half of the time.
                    await asyncio.sleep(time.monotonic() - began)
                    began = time.monotonic()
                await self._embedders.close_idle()
            except (EmbedderError, StoreError) as error:
                log.warning("indexing waits: %s", error)
                pause = PAUSE_AFTER_FAILURE_SECONDS
            except Exception:  # the indexer's loop: texts that come later must not stay without vectors for ever
                log.exception("indexing failed")
                pause = PAUSE_AFTER_FAILURE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                    await asyncio.sleep(GATHER_SECONDS)

    async def index_some(self) -> int:
        """Give vectors to a batch, by the serving model unless it has all; how many texts. Raises EmbedderError, StoreError."""
        kernel = self._kernel
        models = await self._look()
        await follow(models, kernel.serving, self._embedders)
        for model in models.kept_up:
            if model.model == models.serving:
                done = await lay_some(kernel.database, model, kernel.serving.embedder)
            elif model.held_until is not None and model.held_until > now():
                done = 0  # `pagemind embedder add` does it
            else:
                done = await self._lay_beside(model)
            if done:
                return done
        return 0

    async def _look(self) -> Models:
        """The tenant's models; where it has texts and no model yet, the configured one serves from now on."""
        kernel = self._kernel
        async with kernel.database.transaction() as session:
            models = await embedding_models.of_tenant(session, kernel.database.tenant_id)
            if models.serving is not None or not await embeddings.any_text(session):
                return models
        await kernel.embedder.ready()
        async with kernel.database.transaction() as session:
            tenant_id, embedder = kernel.database.tenant_id, kernel.embedder
            await embedding_models.bind(session, tenant_id, embedder.name, embedder.dimensions)
            return await embedding_models.of_tenant(session, tenant_id)

    async def _lay_beside(self, model: EmbeddingModel) -> int:
        """Vectors of a model that is being added. Where that fails, the one that serves goes on."""
        try:
            return await lay_some(self._kernel.database, model, self._embedders.use(model.model, model.url), pieces=BATCH)
        except EmbedderError as error:
            log.warning("%s is being added and waits: %s", model.model, error)
            return 0


async def lay_some(database: Database, model: EmbeddingModel, embedder: Embedder, *, pieces: int = PIECES_AT_ONCE) -> int:
    """Give vectors to a batch by this model, whose embedder this is; first queue what was there before it."""
    if not model.queued:
        await queue_all(database, model.model)
    return await lay_batch(database, embedder, pieces=pieces)
