"""The hub: events of this process's runs and conversations, live. What is missed here is in the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from pagemind.events import Event

Heard = tuple[int | None, Event]
"""An event with its ``seq`` in the store; None for one that is only ever live."""


class Hub:
    """Hands each event to whoever listens to its run at that moment. Slow listeners lose live events, never stored ones."""

    def __init__(self, backlog: int = 10_000) -> None:
        self._backlog = backlog
        self._listeners: defaultdict[UUID, set[asyncio.Queue[Heard]]] = defaultdict(set)

    def publish(self, run_id: UUID, event: Event, seq: int | None = None) -> None:
        """Tell the run's listeners."""
        for queue in self._listeners.get(run_id, ()):
            if not queue.full():
                queue.put_nowait((seq, event))

    @contextmanager
    def listen(self, run_id: UUID) -> Generator[asyncio.Queue[Heard]]:
        """A queue of the run's events from now on."""
        queue: asyncio.Queue[Heard] = asyncio.Queue(self._backlog)
        self._listeners[run_id].add(queue)
        try:
            yield queue
        finally:
            self._listeners[run_id].discard(queue)
            if not self._listeners[run_id]:
                del self._listeners[run_id]
