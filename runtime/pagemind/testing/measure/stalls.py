"""How long an event loop was kept from its work."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Self

TICK_SECONDS = 0.002


class Stalls:
    """While entered, wakes every ``TICK_SECONDS`` and notes how much later than asked each wake-up came, in seconds.

    Late by the machine's other work too: the largest stall is an upper bound of what the code under test did.
    """

    def __init__(self) -> None:
        self._late: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def ticks(self) -> int:
        """Wake-ups so far."""
        return len(self._late)

    @property
    def largest_seconds(self) -> float:
        """The worst wake-up."""
        return max(self._late, default=0.0)

    @property
    def median_seconds(self) -> float:
        """The usual wake-up."""
        return statistics.median(self._late) if self._late else 0.0

    async def _tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._late.append(time.perf_counter() - due)
