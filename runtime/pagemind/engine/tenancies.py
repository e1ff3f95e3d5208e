"""Tenancies: the runtimes of a server's tenants, in one process, on one store, reasoner and embedder."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from pagemind.engine.keys import served
from pagemind.engine.runtime import Runtime
from pagemind.errors import PagemindError
from pagemind.store import runs

log = logging.getLogger(__name__)

MOST_OPEN = 32
"""Beyond so many, those that are idle are closed, the one used longest ago first."""
IDLE_SECONDS = 300.0
"""A tenant that is not used for so long is closed in any case."""
SETTLE_SECONDS = 5.0
"""No tenant is closed sooner: its worker may not have looked for runs yet."""
LOOK_SECONDS = 10.0


@dataclass
class Open:
    """An open runtime, by how many requests it is used, and since when it is not."""

    runtime: Runtime
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)

    def closable(self, seconds: float) -> bool:
        """Whether nobody has used it for so long and nothing goes on in it."""
        return not self.users and time.monotonic() - self.used_at > seconds and self.runtime.worker.idle


class Tenancies:
    """The operator's runtime, which is always open, and those of other tenants, opened when they are needed."""

    def __init__(self, operator: Runtime) -> None:
        self.operator = operator
        self._open: dict[UUID, Open] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def enter(self, tenant_id: UUID) -> AsyncGenerator[Runtime]:
        """The tenant's runtime, which stays open for as long as the block lasts. Raises PagemindError."""
        if tenant_id == self.operator.kernel.database.tenant_id:
            yield self.operator
            return
        opened = self._open.get(tenant_id) or await self._add(tenant_id)
        opened.users += 1
        try:
            yield opened.runtime
        finally:
            opened.users -= 1
            opened.used_at = time.monotonic()

    async def _add(self, tenant_id: UUID) -> Open:
        async with self._opening:
            if tenant_id not in self._open:
                self._open[tenant_id] = Open(await self.operator.for_tenant(tenant_id))
            return self._open[tenant_id]

    async def serve(self) -> None:
        """Take up the runs that an earlier process left, then close what is idle, until cancelled."""
        await self._resume()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._close_idle()

    async def _resume(self) -> None:
        """Open each tenant in which a run is not at its end: its worker claims it."""
        database = self.operator.kernel.database
        try:
            for tenant_id, _ in (await served(database))[1:]:
                async with database.transaction(tenant_id) as session:
                    unfinished = await runs.any_unfinished(session)
                if unfinished:
                    async with self.enter(tenant_id):
                        log.info("runs of tenant %s go on", tenant_id)
        except PagemindError as error:
            log.warning("runs of other tenants wait for their tenants' next request: %s", error)

    async def _close_idle(self) -> None:
        longest_ago_first = sorted(self._open, key=lambda tenant_id: self._open[tenant_id].used_at)
        for tenant_id in longest_ago_first:
            patience = SETTLE_SECONDS if len(self._open) > MOST_OPEN else IDLE_SECONDS
            if self._open[tenant_id].closable(patience):
                await self._open.pop(tenant_id).runtime.close()

    async def close(self) -> None:
        """Close all but the operator's."""
        while self._open:
            _, opened = self._open.popitem()
            await opened.runtime.close()


@asynccontextmanager
async def tenancies(operator: Runtime) -> AsyncGenerator[Tenancies]:
    """The tenancies of an open runtime, looked after until the block ends."""
    opened = Tenancies(operator)
    task = asyncio.create_task(opened.serve())
    try:
        yield opened
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await opened.close()
