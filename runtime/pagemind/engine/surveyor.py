"""The surveyor: finds out in the background which archives and conversations are large, and gives them their indexes.

It may stop anywhere: a collection is searched by an index only once its row says that it is complete, and an index that was
left incomplete is made anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pagemind.errors import StoreError
from pagemind.store import survey as surveys
from pagemind.store.database import Database
from pagemind.store.indexes import MOST_DIMENSIONS, Builder, Index, of_rows, of_vectors
from pagemind.store.survey import Crossover, Size, Standing

log = logging.getLogger(__name__)

Progress = Callable[[str], None]

POLL_SECONDS = 15.0
LEAST_CHANGE = 500
"""So many rows must be new for a survey to be worth it."""
CALM = 3_000
"""While more rows than that come between two looks, an import goes on: an index is made faster after it than kept up in it."""
MOST_PATIENCE = 40
"""After so many looks it is not waited for any longer."""


def silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Surveyed:
    """What a survey found, and what it made. ``others_turn``: another process makes indexes at this moment."""

    sizes: Sequence[Size]
    made: Sequence[str] = ()
    others_turn: bool = False


async def survey(database: Database, progress: Progress = silent, *, crossover: Crossover | None = None) -> Surveyed:
    """Find what is large, measure it where it has changed, and make or drop indexes; returns when all of that is done.

    ``progress`` hears what is being done. Without an owner's connection nothing is made. Raises StoreError.
    """
    crossover = crossover or Crossover()
    async with database.transaction() as session:
        known = await surveys.standing(session)
        sizes = await surveys.large(session, crossover, known)
    gone = [id for id in known if id not in {size.id for size in sizes}]
    for size in sizes:
        if size.id not in known or known[size.id].is_stale(size.rows):
            progress(f"looking at {described(size)}")
            async with database.transaction() as session:
                await surveys.record(session, database.tenant_id, size, await surveys.shares_of(session, size))
    if gone:
        async with database.transaction() as session:
            await surveys.forget(session, gone)
    try:
        return await with_indexes(database, sizes, known, gone, crossover, progress)
    finally:
        database.large.forget()


async def with_indexes(
    database: Database,
    sizes: Sequence[Size],
    known: Mapping[UUID, Standing],
    gone: Sequence[UUID],
    crossover: Crossover,
    progress: Progress,
) -> Surveyed:
    """Make what is missing, words before vectors, the largest collection first; drop what is not wanted any more."""
    connection = await database.as_owner() if sizes or gone else None
    if connection is None:
        return Surveyed(sizes)
    builder = Builder(connection, local=database.embedded is not None)
    try:
        if not await builder.take_turn():
            return Surveyed(sizes, others_turn=True)
        made: list[str] = []
        if not await builder.leakproof():
            return Surveyed(sizes)
        for size in sizes:
            made += await make(builder, of_rows(size.space, size.id), f"words of {described(size)}", progress)
            await mark(database, size.id, known[size.id].models if size.id in known else {})
        for size in sizes:
            made += await make_vectors(database, builder, size, crossover, progress)
        await builder.keep_only(gone, ())
        return Surveyed(sizes, made)
    finally:
        await builder.close()


async def make_vectors(database: Database, builder: Builder, size: Size, crossover: Crossover, progress: Progress) -> list[str]:
    """Make the collection's indexes of vectors, one for each model that has enough; drop those of models that have not."""
    async with database.transaction() as session:
        found = await surveys.models_of(session, size, crossover)
    models = {model: dimensions for model, dimensions in found.items() if dimensions <= MOST_DIMENSIONS}
    indexes = [of_vectors(size.space, size.id, model, dimensions, size.rows) for model, dimensions in models.items()]
    made = await make(builder, indexes, f"vectors of {described(size)}", progress)
    await mark(database, size.id, models)
    wanted = [index.name for index in (*of_rows(size.space, size.id), *indexes)]
    await builder.keep_only([size.id], wanted)
    return made


async def make(builder: Builder, indexes: Sequence[Index], what: str, progress: Progress) -> list[str]:
    """Make those that are not there, complete; their names."""
    standing = await builder.standing()
    missing = [index for index in indexes if not standing.get(index.name)]
    for index in missing:
        progress(f"indexing the {what}")
        await builder.make(index)
    return [index.name for index in missing]


async def mark(database: Database, id: UUID, models: Mapping[str, int]) -> None:
    """Let the collection be searched by its words, and by its vectors of these models."""
    async with database.transaction() as session:
        await surveys.mark(session, id, words_ready=True, models=models)


def described(size: Size) -> str:
    """A collection in words."""
    what = "archive" if size.space.kind == "passage" else "conversation"
    return f"{what} {size.id} ({size.rows:,} rows)"


class Surveyor:
    """Surveys the tenant's collections whenever enough is new."""

    def __init__(self, database: Database, *, crossover: Crossover | None = None) -> None:
        self._database = database
        self._crossover = crossover
        self._surveyed_at = 0
        self._last_seen = 0
        self._waited = 0

    async def serve(self) -> None:
        """Look from time to time until cancelled; a store that fails is asked again later."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.look()
            except StoreError as error:
                log.warning("the survey of large archives waits: %s", error)
            except Exception:  # the surveyor's loop: searches of what grows later must not stay slow for ever
                log.exception("the survey of large archives failed")

    async def look(self) -> None:
        """Survey, if enough is new and no import goes on."""
        async with self._database.transaction() as session:
            total = await surveys.inserted(session)
        fresh, moving = total - self._surveyed_at, total - self._last_seen
        self._last_seen = total
        if abs(fresh) < LEAST_CHANGE:
            return
        self._waited += 1
        if self._surveyed_at and moving > CALM and self._waited < MOST_PATIENCE:
            return
        surveyed = await survey(self._database, log.info, crossover=self._crossover)
        if not surveyed.others_turn:
            self._surveyed_at, self._waited = total, 0
