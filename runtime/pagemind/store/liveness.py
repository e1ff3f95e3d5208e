"""Liveness: a worker holds an advisory lock for as long as its process lives, so that others see at once when it died."""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pagemind.errors import StoreUnavailable
from pagemind.store.database import Database
from pagemind.store.failures import store_errors
from pagemind.store.runs import worker_key


class Liveness:
    """The lock of one worker, on a connection of its own. Losing it costs repeated work at worst: epochs fence the rest.

    A server's tenants have a worker each, all of one id: they share it, since it says no more than that the process lives.
    """

    def __init__(self, database: Database, worker_id: UUID) -> None:
        self._database = database
        self.worker_id = worker_id
        self._key = worker_key(worker_id)
        self._connection: AsyncConnection | None = None
        self._at_it = asyncio.Lock()

    @property
    def held(self) -> bool:
        """Whether the lock was held when it was last looked at."""
        return self._connection is not None

    async def hold(self) -> None:
        """Take the lock, or see that it is still held; raises StoreUnavailable, after which a later call takes it anew."""
        try:
            async with self._at_it:
                await self._take()
        except StoreUnavailable:
            await self.release()
            raise

    async def _take(self) -> None:
        with store_errors():
            if self._connection is None:
                self._connection = await self._database.engine.connect()
            # Taking it again in the session that has it only counts, so one statement does for both.
            await self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key})
            await self._connection.commit()

    async def release(self) -> None:
        """Let the lock go with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
