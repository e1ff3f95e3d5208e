"""Which embedding model serves a tenant: the store says so; the configuration names that of an empty store only."""

from __future__ import annotations

import logging

from pagemind.engine.embedders import Embedders, Serving, full_name
from pagemind.errors import EmbedderMismatch
from pagemind.model.embedder import Embedder
from pagemind.settings import Settings
from pagemind.store import embedding_models
from pagemind.store.database import Database
from pagemind.store.embedding_models import Models

log = logging.getLogger(__name__)


async def serving_of(
    database: Database, settings: Settings, embedders: Embedders, given: Embedder | None = None
) -> tuple[Serving, EmbedderMismatch | None]:
    """What serves the tenant, and what to tell a person where the configuration names another model.

    A ``given`` embedder cannot be exchanged for the store's: EmbedderMismatch. Raises EmbedderError, StoreError.
    """
    async with database.transaction() as session:
        models = await embedding_models.of_tenant(session, database.tenant_id)
    row = models.find(models.serving)
    if row is None:
        return Serving(embedders.hold(embedders.first)), None
    if given is not None and given.name != row.model:
        raise mismatch(models, given.name, given.dimensions)
    told = None if given else contradiction(models, settings)
    return Serving(embedders.hold(row.model, row.url), row.dimensions), told


def contradiction(models: Models, settings: Settings) -> EmbedderMismatch | None:
    """What to tell where somebody configured another model than the one that serves; None where they agree."""
    configured = "embedder" in settings.model_fields_set and models.serving is not None
    if not configured or models.serving in (settings.embedder, full_name(settings.embedder)):
        return None
    return mismatch(models, settings.embedder)


def mismatch(models: Models, model: str, dimensions: int = 0) -> EmbedderMismatch:
    """The store's model against another one."""
    row = models.find(models.serving)
    known = row.dimensions if row else "unknown"
    return EmbedderMismatch(stored=models.serving, stored_dimensions=known, model=model, dimensions=dimensions or "unknown")


async def follow(models: Models, serving: Serving, embedders: Embedders) -> None:
    """Take up the model that serves now, once it is loaded; until then the one before goes on.

    Raises EmbedderError where it cannot be loaded.
    """
    row = models.find(models.serving)
    if row is None:
        return
    before = serving.embedder
    if row.model != before.name:
        await embedders.use(row.model, row.url).ready()
        serving.embedder = embedders.hold(row.model, row.url)
        embedders.let_go(before)
        log.info("the embedding model %s serves", row.model)
    serving.dimensions = row.dimensions
