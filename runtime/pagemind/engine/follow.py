"""Follow: a run's events, stored and live, from any point on (contract D8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.events import Event, RunEnded, from_json
from pagemind.store import run_events

# A run in another process shows only by what it stores.
LOOK_SECONDS = 0.25


async def follow(kernel: Kernel, run_id: UUID, after_seq: int = 0) -> AsyncIterator[tuple[int | None, Event]]:
    """The run's stored events after ``after_seq`` and then what comes, each with its ``seq`` (None: live only).

    Of a run in this process's hands nothing is read from the store, unless the caller is so slow that some of it was dropped.
    Ends after RunEnded. Raises StoreUnavailable; following again from the last ``seq`` seen loses nothing.
    """
    seen = after_seq
    with kernel.hub.listen(run_id, after_seq) as ear:
        look = not ear.told_all
        while True:
            if look:
                ear.lost = False
                for seq, event in await stored(kernel, run_id, seen):
                    seen = seq
                    yield seq, event
                    if isinstance(event, RunEnded):
                        return
            look = False
            while not look and (heard := ear.take()) is not None:
                seq, event = heard
                if seq is not None and seq != seen + 1:
                    look = seq > seen
                    continue
                seen = seen if seq is None else seq
                yield heard
                if isinstance(event, RunEnded):
                    return
            if not look:
                woken = await ear.wait(None if ear.told_all else LOOK_SECONDS)
                look = ear.lost or not woken


async def stored(kernel: Kernel, run_id: UUID, after_seq: int) -> list[tuple[int, Event]]:
    """What the store has after ``after_seq``."""
    async with kernel.database.transaction() as session:
        return [(row.seq, from_json(row.data)) for row in await run_events.after(session, run_id, after_seq)]
