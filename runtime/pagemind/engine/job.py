"""A job: a run in the hands of this worker, from claim to stop reason or to the loss of its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from pagemind.engine.hub import Hub
from pagemind.events import Event
from pagemind.records import Json, Run
from pagemind.records.view import View

T = TypeVar("T")


class RunCancelled(Exception):
    """Somebody asked for the run to be cancelled; raised at the next point where it may stop."""


class Cancel:
    """Whether the run is to stop, and whoever has to stop with it."""

    def __init__(self) -> None:
        self._set = False
        self._working: set[asyncio.Task[Any]] = set()

    def is_set(self) -> bool:
        """Whether the run is to stop."""
        return self._set

    def set(self) -> None:
        """Stop: what may be given up is given up now."""
        if not self._set:
            self._set = True
            for task in self._working:
                task.cancel()

    async def stops(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which is given up, with RunCancelled, when the run is to stop."""
        task = asyncio.current_task()
        if self._set or task is None or task in self._working:
            return await self._stops_within(work)
        self._working.add(task)
        cancelled_before = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError:
            # As `asyncio.timeout` does: the cancelling was ours alone, and goes no further.
            if self._set and task.uncancel() <= cancelled_before:
                raise RunCancelled from None
            raise
        finally:
            self._working.discard(task)

    async def _stops_within(self, work: Coroutine[Any, Any, T]) -> T:
        """Within work that stops already there is nothing to add; and nothing begins in a run that is to stop."""
        if self._set:
            work.close()
            raise RunCancelled
        return await work


@dataclass(eq=False)
class Job:
    """The run's identity under this claim. ``epoch`` fences every write."""

    tenant_id: UUID
    run_id: UUID
    conversation_id: UUID
    agent_id: UUID
    epoch: int
    hub: Hub
    background: bool = False
    cancel: Cancel = field(default_factory=Cancel)
    request: Json = field(default_factory=dict[str, object])
    """What the run is to do otherwise: ``records.Request`` as JSON."""
    start: View | None = None
    """What the first step sees, where the run began as it was accepted; taken away by whoever begins."""
    first_piece_at: float | None = None
    """When the newest model call's first piece came, by ``perf_counter``; taken away by whoever books it."""
    ended: bool = False
    """Whether its end is stored."""
    lost: bool = False
    """Whether the lease is known to be another's."""
    worth_paging: bool = True
    """Whether the conversation may have more in its window than it should keep between runs."""
    others_wait: bool = True
    """Whether, for all that is known, other runs of the conversation wait for this one's end."""

    @classmethod
    def of(cls, run: Run, hub: Hub, start: View | None = None) -> Job:
        """The job of a run just claimed."""
        job = cls(run.tenant_id, run.id, run.conversation_id, run.agent_id, run.epoch, hub, run.background)
        job.request, job.start = run.request, start
        if run.cancel_requested_at is not None:
            job.cancel.set()
        return job

    def tell(self, event: Event) -> None:
        """Publish an event that is only ever live."""
        self.hub.publish(self.run_id, event)

    def told(self, first_seq: int, events: Sequence[Event]) -> None:
        """Publish events that the store has under ``first_seq`` and on."""
        for index, event in enumerate(events):
            self.hub.publish(self.run_id, event, first_seq + index)

    async def unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which is given up, with RunCancelled, when the run is cancelled."""
        return await self.cancel.stops(work)


async def completed(write: Coroutine[Any, Any, T]) -> T:
    """The result of a write that goes through to its end even if the caller is cancelled meanwhile."""
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
