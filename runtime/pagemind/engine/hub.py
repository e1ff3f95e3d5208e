"""The hub: events of this process's runs and conversations, live. What is missed here is in the store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from pagemind.events import Event

Heard = tuple[int | None, Event]
"""An event with its ``seq`` in the store; None for one that is only ever live."""

ENDED_RUNS = 256
LIVE_EVENTS = 1_000
"""Live ones since the last stored one, kept for who begins to listen in the middle of a step."""


class Ear:
    """What one listener has not taken yet, up to a bound: who is too slow loses events, never holds anybody up.

    ``told_all``: what it holds, and what comes, is everything from the point that was asked for, but for what was ``lost``.
    """

    def __init__(self, backlog: int) -> None:
        self.told_all = False
        self.lost = False
        self._backlog = backlog
        self._heard: deque[Heard] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def put(self, heard: Heard) -> None:
        """Hear this; where there is no room, everything is lost and the store has to tell it again."""
        if len(self._heard) >= self._backlog:
            self._heard.clear()
            self.lost = True
        self._heard.append(heard)
        self.wake()

    def wake(self) -> None:
        """Have whoever waits look again."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take(self) -> Heard | None:
        """The next that was heard; None if there is nothing."""
        return self._heard.popleft() if self._heard else None

    async def get(self) -> Heard:
        """The next, waited for."""
        while not self._heard:
            await self.wait(None)
        return self._heard.popleft()

    async def wait(self, seconds: float | None) -> bool:
        """Whether something was heard or lost; False after so many seconds of silence."""
        if self._heard or self.lost:
            return True
        self._waiting = asyncio.get_running_loop().create_future()
        if seconds is None:
            await self._waiting
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiting
                return True
        return False


@dataclass
class Channel:
    """A run or a conversation that somebody here tells of or listens to.

    ``told`` has all stored events of a run that was in this process's hands from its first event on; else it is None.
    """

    told: list[Heard] | None = None
    live: list[Heard] = field(default_factory=list[Heard])
    """What such a run told since its last stored event, up to a bound."""
    ears: set[Ear] = field(default_factory=set[Ear])


class Hub:
    """Hands each event to whoever listens to its run at that moment. Slow listeners lose live events, never stored ones."""

    def __init__(self, backlog: int = 2_000) -> None:
        self._backlog = backlog
        self._channels: dict[UUID, Channel] = {}
        self._ended: OrderedDict[UUID, list[Heard]] = OrderedDict()

    def begin(self, run_id: UUID) -> None:
        """From now on every event of the run is told here, from its first on."""
        self._channels.setdefault(run_id, Channel()).told = []

    def end(self, run_id: UUID, *, ended: bool) -> None:
        """The run is in this process's hands no more. What was told of one that ended is kept for a while."""
        channel = self._channels.get(run_id)
        if channel is None:
            return
        told, channel.told = channel.told, None
        channel.live.clear()
        if ended and told is not None:
            self._ended[run_id] = told
            if len(self._ended) > ENDED_RUNS:
                self._ended.popitem(last=False)
        else:
            for ear in channel.ears:
                ear.told_all, ear.lost = False, True
                ear.wake()
        if not channel.ears:
            del self._channels[run_id]

    def publish(self, run_id: UUID, event: Event, seq: int | None = None) -> None:
        """Tell the run's listeners, those to come among them."""
        channel = self._channels.get(run_id)
        if channel is None:
            return
        heard = (seq, event)
        if channel.told is not None:
            if seq is not None:
                channel.told.append(heard)
                channel.live.clear()
            elif len(channel.live) < LIVE_EVENTS:
                channel.live.append(heard)
        for ear in channel.ears:
            ear.put(heard)

    @contextmanager
    def listen(self, run_id: UUID, after_seq: int | None = None) -> Generator[Ear]:
        """What is told of the run from now on; and, with ``after_seq`` and where it is known here, what was told before."""
        ear = Ear(self._backlog)
        channel = self._channels.setdefault(run_id, Channel())
        told = self._ended.get(run_id) if channel.told is None else channel.told
        if after_seq is not None and told is not None:
            ear.told_all = True
            for seq, event in told:
                if seq is not None and seq > after_seq:
                    ear.put((seq, event))
            for heard in channel.live:
                ear.put(heard)
        channel.ears.add(ear)
        try:
            yield ear
        finally:
            channel.ears.discard(ear)
            if not channel.ears and channel.told is None:
                self._channels.pop(run_id, None)
