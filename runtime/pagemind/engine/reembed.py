"""Reembed: another embedding model takes over. Its vectors are laid beside the old ones first, then it serves at once."""

from __future__ import annotations

from collections.abc import Callable

from pagemind.engine.indexer import index_batch
from pagemind.model.embedder import make_embedder
from pagemind.settings import Settings
from pagemind.store import embeddings
from pagemind.store.database import Database


async def reembed(settings: Settings, told: Callable[[int, int], None]) -> int:
    """Embed every text by the configured embedder and hold the tenant to it; how many texts were embedded.

    ``told`` hears how many are done, of how many. May be stopped anywhere and called again: what is done stays done.
    Raises EmbedderError, StoreError.
    """
    embedder = make_embedder(settings)
    try:
        await embedder.ready()
        database = await Database.open(settings)
        try:
            async with database.transaction() as session:
                total = await embeddings.count_without(session, embedder.name)
            done = 0
            while batch := await index_batch(database, embedder, bind=False):
                done += batch
                told(done, max(done, total))
            async with database.transaction() as session:
                await embeddings.rebind_model(session, database.tenant_id, embedder.name, embedder.dimensions)
            return done
        finally:
            await database.close()
    finally:
        await embedder.close()
