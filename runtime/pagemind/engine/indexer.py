"""The indexer: gives a vector to every message and passage that has none. It may stop anywhere: what is missing shows."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from pagemind.engine.kernel import Kernel
from pagemind.errors import EmbedderError, StoreError
from pagemind.faults import reach
from pagemind.model.embedder import Embedder
from pagemind.store import embeddings
from pagemind.store.database import Database

log = logging.getLogger(__name__)

BATCH = 256
POLL_SECONDS = 5.0
GATHER_SECONDS = 0.05
"""Where texts come one by one, those that follow at once go with the first."""
AFTER_RUNS_SECONDS = 2.0
"""What runs said may lack its vectors for so long: words find it meanwhile, and a busy server has runs to carry."""
PAUSE_AFTER_FAILURE_SECONDS = 10.0


class Indexer:
    """Embeds in the background, in bulk, behind the queries."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
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
        """Give vectors to a batch; how many that were. Raises EmbedderError, StoreError."""
        return await index_batch(self._kernel.database, self._kernel.embedder)


async def index_batch(database: Database, embedder: Embedder, *, bind: bool = True) -> int:
    """Give vectors to a batch of texts that lack one by this embedder; how many that were.

    ``bind`` holds the tenant to this embedder (EmbedderMismatch if it is held to another one); without it the vectors are
    laid beside those that serve.
    """
    async with database.transaction() as session:
        lacking = await embeddings.without(session, embedder.name, BATCH)
    if not lacking:
        return 0
    vectors = await embedder.embed([each.text for each in lacking], kind="document")
    async with database.transaction() as session:
        if bind:
            await embeddings.bind_model(session, database.tenant_id, embedder.name, embedder.dimensions)
        for kind in ("message", "passage"):
            rows = {each.id: vector for each, vector in zip(lacking, vectors, strict=True) if each.kind == kind}
            await embeddings.put(session, embedder.name, kind, rows)
        reach("index.before_commit")
    reach("index.after_commit")
    return len(lacking)
