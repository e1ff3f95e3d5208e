"""The embedding models of a tenant: those it has vectors of, those that are being added, and the one that serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import UnknownRecord
from pagemind.records import EmbeddingModel

COLUMNS = tuple(EmbeddingModel.model_fields)

# The columns of the model are NULL for a tenant that has none.
_ALL = text("""
SELECT t.embedding_model AS serving, m.*
  FROM tenants t LEFT JOIN embedding_models m ON m.tenant_id = t.id WHERE t.id = :tenant ORDER BY m.added_at, m.model
""")
_BOUND = text("""
SELECT t.embedding_model AS serving, m.dimensions
  FROM tenants t LEFT JOIN embedding_models m ON m.tenant_id = t.id AND m.model = :model WHERE t.id = :tenant
""")
_FIRST = text("""
UPDATE tenants SET embedding_model = :model, embedding_dimensions = :dimensions
 WHERE id = :tenant AND embedding_model IS NULL RETURNING id
""")
_SERVE = text("""
UPDATE tenants SET embedding_model = :model, embedding_dimensions = :dimensions WHERE id = :tenant
""")
_STATES = text("""
UPDATE embedding_models SET kept_up = (model = CAST(:model AS varchar)), queued = queued AND kept_up, held_until = NULL,
       served_at = CASE WHEN model = CAST(:model AS varchar) THEN now() ELSE served_at END
 WHERE tenant_id = :tenant AND model IN (CAST(:model AS varchar), CAST(:before AS varchar))
""")
_ADD = text("""
INSERT INTO embedding_models (tenant_id, model, dimensions, url, kept_up, queued, added_at)
VALUES (:tenant, :model, :dimensions, :url, true, false, now())
ON CONFLICT (tenant_id, model) DO UPDATE
   SET kept_up = true, queued = embedding_models.queued AND embedding_models.kept_up, dimensions = excluded.dimensions,
       url = coalesce(excluded.url, embedding_models.url)
""")
_LOCK = text("SELECT model FROM embedding_models WHERE tenant_id = :tenant ORDER BY model FOR UPDATE")
_HOLD = text("""
UPDATE embedding_models SET held_until = CASE WHEN CAST(:seconds AS float8) > 0
       THEN now() + make_interval(secs => CAST(:seconds AS float8)) END
 WHERE model = :model
""")
_QUEUED = text("UPDATE embedding_models SET queued = true WHERE model = :model AND kept_up")
_GIVE_UP = text("UPDATE embedding_models SET kept_up = false, queued = false WHERE model = :model")
_UNQUEUE = text("DELETE FROM unembedded WHERE model = :model")
_DELETE = text("DELETE FROM embedding_models WHERE model = :model")


@dataclass(frozen=True)
class Models:
    """A tenant's embedding models in the order in which they came, and the name of the one that serves."""

    serving: str | None
    all: Sequence[EmbeddingModel]

    def find(self, model: str | None) -> EmbeddingModel | None:
        """The model of that name."""
        return next((each for each in self.all if each.model == model), None)

    @property
    def kept_up(self) -> list[EmbeddingModel]:
        """Those for which new texts are embedded, the one that serves first."""
        return sorted((each for each in self.all if each.kept_up), key=lambda each: each.model != self.serving)


async def of_tenant(session: AsyncSession, tenant_id: UUID) -> Models:
    """The tenant's models. UnknownRecord without such a tenant."""
    rows = (await session.execute(_ALL, {"tenant": tenant_id})).mappings().all()
    if not rows:
        raise UnknownRecord(kind="tenant", id=str(tenant_id))
    models = [EmbeddingModel(**{name: row[name] for name in COLUMNS}) for row in rows if row["model"] is not None]
    return Models(rows[0]["serving"], models)


async def bind(session: AsyncSession, tenant_id: UUID, model: str, dimensions: int) -> int | None:
    """The length of the model's vectors as the tenant has them; None for a model that it does not have.

    Where none serves yet this one does from now on, unless it is being added. Raises UnknownRecord without such a tenant.
    """
    values = {"tenant": tenant_id, "model": model, "dimensions": dimensions}
    row = (await session.execute(_BOUND, values)).one_or_none()
    if row is None:
        raise UnknownRecord(kind="tenant", id=str(tenant_id))
    if row.serving is None and row.dimensions is None:
        if (await session.execute(_FIRST, values)).scalar_one_or_none() is not None:
            await session.execute(_ADD, {**values, "url": None})
            return dimensions
        row = (await session.execute(_BOUND, values)).one()  # somebody else was first
    return row.dimensions


async def add(session: AsyncSession, tenant_id: UUID, model: str, dimensions: int, url: str | None) -> None:
    """Have each text get its vector by this model, too; those of before it are to be queued next."""
    await session.execute(_ADD, {"tenant": tenant_id, "model": model, "dimensions": dimensions, "url": url})


async def lock(session: AsyncSession, tenant_id: UUID) -> None:
    """Let nobody else change the tenant's models until the transaction ends."""
    await session.execute(_LOCK, {"tenant": tenant_id})


async def serve(session: AsyncSession, tenant_id: UUID, model: EmbeddingModel, before: str | None) -> None:
    """Let the model serve from now on, instead of the one ``before``, which is no longer kept up: its vectors stay."""
    values = {"tenant": tenant_id, "model": model.model, "dimensions": model.dimensions, "before": before}
    await session.execute(_SERVE, values)
    await session.execute(_STATES, values)
    if before is not None:
        await session.execute(_UNQUEUE, {"model": before})


async def hold(session: AsyncSession, model: str, seconds: float) -> None:
    """Lay this model's vectors alone for so long, with no help of a server; 0 ends that."""
    await session.execute(_HOLD, {"model": model, "seconds": seconds})


async def set_queued(session: AsyncSession, model: str) -> None:
    """All texts of the time before this model are in the queue."""
    await session.execute(_QUEUED, {"model": model})


async def give_up(session: AsyncSession, model: str) -> None:
    """Embed nothing by this model any more."""
    await session.execute(_GIVE_UP, {"model": model})
    await session.execute(_UNQUEUE, {"model": model})


async def delete(session: AsyncSession, model: str) -> None:
    """Forget the model, whose vectors must be gone."""
    await session.execute(_UNQUEUE, {"model": model})
    await session.execute(_DELETE, {"model": model})
