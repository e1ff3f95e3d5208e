"""Follow: a run's events, stored and live, from any point on (contract D8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

from pagemind.engine.hub import Heard
from pagemind.engine.kernel import Kernel
from pagemind.events import Event, RunEnded, from_json
from pagemind.store import run_events

# A run in another process shows only by what it stores.
LOOK_SECONDS = 0.25


async def follow(kernel: Kernel, run_id: UUID, after_seq: int = 0) -> AsyncIterator[tuple[int | None, Event]]:
    """The run's stored events after ``after_seq`` and then what comes, each with its ``seq`` (None: live only).

    Ends after RunEnded. Raises StoreUnavailable; following again from the last ``seq`` seen loses nothing.
    """
    seen = after_seq
    with kernel.hub.listen(run_id) as queue:
        while True:
            for seq, event in await stored(kernel, run_id, seen):
                seen = seq
                yield seq, event
                if isinstance(event, RunEnded):
                    return
            async for seq, event in heard(queue):
                if seq is not None:
                    if seq <= seen:
                        continue
                    if seq > seen + 1:
                        break
                    seen = seq
                yield seq, event
                if isinstance(event, RunEnded):
                    return


async def stored(kernel: Kernel, run_id: UUID, after_seq: int) -> list[tuple[int, Event]]:
    """What the store has after ``after_seq``."""
    async with kernel.database.transaction() as session:
        return [(row.seq, from_json(row.data)) for row in await run_events.after(session, run_id, after_seq)]


async def heard(queue: asyncio.Queue[Heard]) -> AsyncIterator[Heard]:
    """What is heard live, until it has been quiet for a moment."""
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(LOOK_SECONDS):
                item = await queue.get()
            yield item
