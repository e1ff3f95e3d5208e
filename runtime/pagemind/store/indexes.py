"""The indexes of large collections: made and dropped by the owner of the tables, while everybody reads and writes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, LiteralString, cast
from uuid import UUID

from psycopg import AsyncConnection, sql

from pagemind.store.cluster import memory_mb
from pagemind.store.failures import store_errors
from pagemind.store.known import LEAKPROOF
from pagemind.store.spaces import Space

PREFIX = "large_"
LOCK = 0x706167656D6C6172
"""Of the advisory lock: only one process makes indexes."""
MOST_DIMENSIONS = 4000
"""Of an HNSW index of half-precision vectors."""
BYTES_A_LINK = 1100
"""What the graph takes for a vector while it is built, beside the vector itself."""
LEAST_MEMORY_MB = 64
REMOTE_MEMORY_MB = 1024
"""For building on a server whose memory is not known."""
BUILT_AMONG = 200
"""``ef_construction``: with pgvector's 64 an index is made in half the time, and of 100,000 notes that are much alike a search
finds .95 of the ten nearest instead of .98."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - looked at only, for its room


@dataclass(frozen=True)
class Index:
    """An index of one collection; two of the same name are the same."""

    name: str
    table: str
    using: str
    """What stands behind USING."""
    where: sql.Composable
    memory_mb: int = LEAST_MEMORY_MB


def of_rows(space: Space, id: UUID) -> list[Index]:
    """Those that find rows by their words and by what filters ask for."""
    where = sql.SQL("{} = {} AND {}").format(sql.Identifier(space.collection), sql.Literal(str(id)), constant(space.searchable))
    return [Index(f"{PREFIX}{id.hex}_{n}", space.table, using, where, 256) for n, using in enumerate(space.indexed)]


def of_vectors(space: Space, id: UUID, model: str, dimensions: int, rows: int) -> Index:
    """The one that finds vectors by their nearness."""
    digest = hashlib.sha256(f"{model}\0{dimensions}".encode()).hexdigest()[:12]
    parts = sql.SQL("{} = {} AND model = {}")
    where = parts.format(sql.Identifier(space.collection), sql.Literal(str(id)), sql.Literal(model))
    using = f"hnsw ((embedding::halfvec({int(dimensions)})) halfvec_cosine_ops) WITH (ef_construction = {BUILT_AMONG})"
    needed_mb = rows * (2 * dimensions + BYTES_A_LINK) * 5 // 4 // 2**20
    return Index(f"{PREFIX}{id.hex}_v{digest}", space.vectors, using, where, max(LEAST_MEMORY_MB, needed_mb))


class Builder:
    """Makes and drops indexes over a connection of the owner's. Leave by ``close``."""

    def __init__(self, connection: AsyncConnection[Any], *, local: bool) -> None:
        self._connection = connection
        self._local = local

    async def take_turn(self) -> bool:
        """Whether nobody else makes indexes; until the connection is closed nobody else will."""
        return bool(await self._value(f"SELECT pg_try_advisory_lock({LOCK})"))

    async def leakproof(self) -> bool:
        """Whether an index of words would be used under row-level security."""
        return bool(await self._value(LEAKPROOF))

    async def standing(self) -> dict[str, bool]:
        """All of these indexes by name, and whether each is complete."""
        statement = f"""
        SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = 'public'::regnamespace AND starts_with(c.relname, '{PREFIX}')"""  # noqa: S608 - a constant
        with store_errors():
            return dict(await (await self._connection.execute(statement.encode())).fetchall())

    async def make(self, index: Index) -> None:
        """Make it, which may take minutes; one that an earlier attempt left incomplete is dropped first."""
        standing = await self.standing()
        if standing.get(index.name):
            return
        with store_errors():
            if index.name in standing:
                await self._drop(index.name)
            memory_mb, workers = self._resources(index)
            await self._connection.execute(f"SET maintenance_work_mem = '{memory_mb}MB'".encode())
            await self._connection.execute(f"SET max_parallel_maintenance_workers = {workers}".encode())
            statement = sql.SQL("CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {} USING {} WHERE {}")
            parts = (sql.Identifier(index.name), sql.Identifier(index.table), constant(index.using), index.where)
            await self._connection.execute(statement.format(*parts))
            # A table that was filled just now still counts as small: a row would be looked up by any index of its tenant.
            await self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(index.table)))

    async def keep_only(self, ids: Collection[UUID], names: Collection[str]) -> None:
        """Of the indexes of these collections drop all but the named ones."""
        of_them = tuple(f"{PREFIX}{id.hex}_" for id in ids)
        for name in await self.standing():
            if name.startswith(of_them) and name not in names:
                with store_errors():
                    await self._drop(name)

    async def close(self) -> None:
        """Let the connection go."""
        await self._connection.close()

    async def _drop(self, name: str) -> None:
        await self._connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))

    async def _value(self, statement: str) -> Any:
        with store_errors():
            row = await (await self._connection.execute(statement.encode())).fetchone()
        return None if row is None else row[0]

    def _resources(self, index: Index) -> tuple[int, int]:
        """Memory and helpers for making it. A graph that does not fit is built many times slower; helpers share it, so that
        it must fit into the system's shared memory, too."""
        if not self._local:
            return min(index.memory_mb, REMOTE_MEMORY_MB), 2
        needed_mb = min(index.memory_mb, memory_mb() // 4)
        return needed_mb, min(4, max(0, (os.cpu_count() or 1) - 1)) if needed_mb < shared_mb() else 0


def shared_mb() -> int:
    """What is free of the memory that processes can share; on a system that does not say, enough."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free // 2**20
    except OSError:
        return memory_mb()


def constant(text: str) -> sql.SQL:
    """SQL of this room's own."""
    return sql.SQL(cast("LiteralString", text))
