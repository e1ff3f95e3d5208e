"""Accesses: which passages searches brought, noted behind the searches, for agents whose file asks for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

from pagemind.errors import StoreError
from pagemind.store import trust
from pagemind.store.database import Database

log = logging.getLogger(__name__)

GATHER_SECONDS = 1.0
"""What is brought within this time is noted in one statement."""


class Accesses:
    """Remembers what was brought until it is stored. What a crash loses of it is a second's."""

    def __init__(self) -> None:
        self._ids: set[UUID] = set()
        self._wake = asyncio.Event()

    def note(self, passage_ids: Iterable[UUID]) -> None:
        """A search has brought these."""
        self._ids.update(passage_ids)
        if self._ids:
            self._wake.set()

    async def serve(self, database: Database) -> None:
        """Store what was noted, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush(database)

    async def flush(self, database: Database) -> None:
        """Store what was noted so far. Where the store fails it is let go: nothing turns on it."""
        ids, self._ids = self._ids, set()
        self._wake.clear()
        if not ids:
            return
        try:
            async with database.transaction() as session:
                await trust.refresh(session, ids)
        except StoreError as error:
            log.warning("%d accesses were not noted: %s", len(ids), error)
