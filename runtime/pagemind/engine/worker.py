"""The worker: claims runs, carries them, renews their leases. Any line of it may be its last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from pagemind.engine.carry import carry, finish
from pagemind.engine.early import EarlyPaging
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.errors import LeaseLost, PagemindError, RunBroken, StoreError, StoreUnavailable
from pagemind.faults import reach
from pagemind.records import Run, RunState, StopReason
from pagemind.store import runs
from pagemind.store.liveness import Liveness

log = logging.getLogger(__name__)

POLL = timedelta(seconds=0.5)
# Between two tries at a run whose store is out of reach.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=10)
# A run that was claimed this often without a step to show for it takes its worker down with it: it is failed instead.
CLAIMS_WITHOUT_STEP = 20


class Worker:
    """Carries up to ``settings.workers`` runs at once, of different conversations; one hand stays free of background runs."""

    def __init__(
        self,
        kernel: Kernel,
        carry: Callable[[Job, Kernel], Coroutine[Any, Any, None]] = carry,
        early: EarlyPaging | None = None,
    ) -> None:
        self._carry = carry
        self._early = early or EarlyPaging(kernel)
        self.id: UUID = uuid4()
        self._kernel = kernel
        self._jobs: dict[UUID, Job] = {}
        self._liveness = Liveness(kernel.database, self.id)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for work at once: a run was accepted, or may be cancelled."""
        self._wake.set()

    def cancel(self, run_id: UUID) -> None:
        """Stop the run if it is in this worker's hands; the request must be in the store already."""
        if run_id in self._jobs:
            self._jobs[run_id].cancel.set()

    async def serve(self) -> None:
        """Work until cancelled. A database that is gone is brought back, or waited for."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._wake.clear()
                    job = await self._next()
                    if job is None:
                        await self._idle()
                    else:
                        group.create_task(self._look_after(job))
        finally:
            await self._liveness.release()

    async def _next(self) -> Job | None:
        """Claim a run; None if there is nothing to do, no hand free, or no database."""
        if len(self._jobs) >= self._kernel.settings.workers:
            return None
        try:
            await self._liveness.hold()
            async with self._kernel.database.transaction() as session:
                seconds = self._kernel.settings.lease_seconds
                run = await runs.claim(
                    session,
                    self.id,
                    lease_seconds=seconds,
                    busy=set(self._jobs),
                    with_background=self._may_take_background(),
                )
        except StoreError as error:
            await self._mend(error)
            return None
        except Exception:  # the worker's loop: whatever this was, runs that are accepted later must not wait for ever
            log.exception("claiming failed")
            return None
        if run is None:
            return None
        reach("claim.after_commit")
        return await self._take(run)

    def _may_take_background(self) -> bool:
        """Whether a hand would be left for a run that somebody waits for."""
        return sum(job.background for job in self._jobs.values()) < max(1, self._kernel.settings.workers - 1)

    async def _take(self, run: Run) -> Job | None:
        """The claimed run as a job of ours; None for one that keeps taking its workers down, which ends here."""
        job = Job.of(run, self._kernel.hub)
        if run.epoch - run.steps > CLAIMS_WITHOUT_STEP:
            error = RunBroken(f"run {run.id}", claims=run.epoch)
            with suppress(LeaseLost, StoreUnavailable):
                await finish(job, self._kernel, RunState.failed, StopReason.error, error)
            return None
        self._jobs[run.id] = job
        self._early.run_began(job.conversation_id)
        return job

    async def _look_after(self, job: Job) -> None:
        """Carry the run under a lease that is renewed meanwhile. No failure of one run reaches another."""
        renewal = asyncio.create_task(self._renew(job))
        work = asyncio.create_task(self._persevere(job))
        try:
            await asyncio.wait((renewal, work), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.warning("run %s: the lease is lost", job.run_id)
                return
            await work
        except LeaseLost as error:
            log.warning("run %s is left to whoever claims it next: %s", job.run_id, error)
        except Exception as error:
            log.exception("run %s failed", job.run_id)
            await self._give_up(job, error)
        finally:
            for task in (renewal, work):
                task.cancel()
            await asyncio.wait((renewal, work))
            del self._jobs[job.run_id]
            self._early.run_ended(job.conversation_id)
            self.wake()

    async def _persevere(self, job: Job) -> None:
        """Carry the run; while the store is down or full, wait and go on from the last step stored, under the same claim.

        Claiming it anew each time would soon look like a run that takes its workers down, and ask the model in a hot loop.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._carry(job, self._kernel)
            except StoreUnavailable as error:
                log.warning("run %s waits for the store", job.run_id)
                # A worker with all its hands full claims nothing, so this may be the only place that notices.
                await self._mend(error)
                await asyncio.sleep(pause.total_seconds())
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _give_up(self, job: Job, error: Exception) -> None:
        """Record a failure that nobody foresaw, so that the conversation can go on."""
        broken = RunBroken(f"{type(error).__name__}: {error}", claims=job.epoch)
        with suppress(PagemindError):
            await finish(job, self._kernel, RunState.failed, StopReason.error, broken)

    async def _renew(self, job: Job) -> None:
        """Extend the lease until it is lost; hand on a request to cancel that came through the store."""
        lease = self._kernel.settings.lease_seconds
        while True:
            await asyncio.sleep(min(lease / 3, 1.0))
            try:
                async with self._kernel.database.transaction() as session:
                    if await runs.renew(session, job.run_id, job.epoch, lease_seconds=lease):
                        job.cancel.set()
            except LeaseLost:
                return
            except StoreError as error:
                log.warning("run %s: the lease could not be renewed: %s", job.run_id, error)

    async def _idle(self) -> None:
        """Wait for a wake-up, or a moment: other processes accept runs too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL.total_seconds()):
                await self._wake.wait()

    async def _mend(self, error: StoreError) -> None:
        """Bring the database back if it is ours to bring back; it is tried again after a moment in any case."""
        log.warning("the store is out of reach: %s", error)
        with suppress(StoreError):
            await self._kernel.database.revive()
