"""The queue's bound: runs that nobody waits for may not pile up without end."""

from __future__ import annotations

import time

from pagemind.errors import QueueFull
from pagemind.store import runs
from pagemind.store.database import Database

LOOK_SECONDS = 1.0


class Queue:
    """Knows how many runs of the tenant wait: as of a second ago at most, and what was accepted here since."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._waiting = 0
        self._looked_at = float("-inf")

    async def take_place(self) -> None:
        """Count one more in; QueueFull where there is no room."""
        clock = time.monotonic()
        if clock - self._looked_at > LOOK_SECONDS:
            self._looked_at = clock
            async with self._database.transaction() as session:
                self._waiting = await runs.waiting(session)
        if self._waiting >= self._most:
            raise QueueFull(count=self._waiting, most=self._most)
        self._waiting += 1
