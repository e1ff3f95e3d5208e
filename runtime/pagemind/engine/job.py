"""A job: a run in the hands of this worker, from claim to stop reason or to the loss of its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from pagemind.engine.hub import Hub
from pagemind.events import Event
from pagemind.records import Run

T = TypeVar("T")


class RunCancelled(Exception):
    """Somebody asked for the run to be cancelled; raised at the next point where it may stop."""


@dataclass(frozen=True)
class Job:
    """The run's identity under this claim. ``epoch`` fences every write."""

    tenant_id: UUID
    run_id: UUID
    conversation_id: UUID
    agent_id: UUID
    epoch: int
    hub: Hub
    background: bool = False
    cancel: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, run: Run, hub: Hub) -> Job:
        """The job of a run just claimed."""
        job = cls(run.tenant_id, run.id, run.conversation_id, run.agent_id, run.epoch, hub, run.background)
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
        task = asyncio.ensure_future(work)
        cancel = asyncio.ensure_future(self.cancel.wait())
        try:
            await asyncio.wait((task, cancel), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise RunCancelled
        finally:
            cancel.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))


async def completed(write: Coroutine[Any, Any, T]) -> T:
    """The result of a write that goes through to its end even if the caller is cancelled meanwhile."""
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
