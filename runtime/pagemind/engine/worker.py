"""The worker: claims runs, carries them, renews their leases. Any line of it may be its last."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
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
from pagemind.events import RunStarted
from pagemind.faults import reach
from pagemind.records import Run, RunState, StopReason
from pagemind.records.view import View
from pagemind.store import runs
from pagemind.store.liveness import Liveness

log = logging.getLogger(__name__)

POLL = timedelta(seconds=0.5)
STARTS_AT_ONCE = 4
# Between two tries at a run whose store is out of reach.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=10)
# A run that was claimed this often without a step to show for it takes its worker down with it: it is failed instead.
CLAIMS_WITHOUT_STEP = 20


class Worker:
    """Carries up to ``settings.workers`` runs at once, of different conversations; one hand stays free of background runs.

    A run that is accepted in this process, in a conversation where nothing goes on, is born in its hands; the others are
    claimed from the store.
    """

    def __init__(
        self,
        kernel: Kernel,
        carry: Callable[[Job, Kernel], Coroutine[Any, Any, None]] = carry,
        early: EarlyPaging | None = None,
        liveness: Liveness | None = None,
    ) -> None:
        self._carry = carry
        self._early = early or EarlyPaging(kernel)
        self._kernel = kernel
        self._jobs: dict[UUID, Job] = {}
        self._carrying: dict[UUID, asyncio.Task[None]] = {}
        self._promised: dict[UUID, bool] = {}
        self._starting: deque[Job] = deque()
        self._pacing = False
        self.liveness = liveness or Liveness(kernel.database, uuid4())
        self._shares_liveness = liveness is not None
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @property
    def id(self) -> UUID:
        """What stands in the runs that are in its hands."""
        return self.liveness.worker_id

    @property
    def idle(self) -> bool:
        """Whether no run is in its hands."""
        return not self._jobs and not self._promised

    def wake(self) -> None:
        """Look for work at once: a run was accepted, or may be cancelled."""
        self._wake.set()

    def cancel(self, run_id: UUID) -> None:
        """Stop the run if it is in this worker's hands; the request must be in the store already."""
        if run_id in self._jobs:
            self._jobs[run_id].cancel.set()

    # --- runs that are born here --------------------------------------------------------------------------------------

    def promise(self, run_id: UUID, *, background: bool) -> bool:
        """Keep a hand free for a run about to be accepted, if there is one and others would see this worker die.

        Each promise is followed by `take` or `withdraw`.
        """
        if self._group is None or not self.liveness.held or not self._hand_free():
            return False
        if background and not self._may_take_background():
            return False
        self._promised[run_id] = background
        self._kernel.hub.begin(run_id)
        return True

    def take(self, run: Run, start: View | None) -> None:
        """Carry a run that was promised a hand and was born in it; ``start`` is its view, if it has begun."""
        self._promised.pop(run.id)
        if start is not None:
            self._kernel.hub.publish(run.id, RunStarted(run_id=run.id, epoch=run.epoch), run.events)
        job = self._hold(Job.of(run, self._kernel.hub, start))
        self._starting.append(job)
        if not self._pacing:
            self._start(1)

    def _start(self, most: int = STARTS_AT_ONCE) -> None:
        """Begin with some of the runs that were taken; the others follow when all else has had its turn.

        To begin is a millisecond of work or two: of hundreds at once, streams that go on already would feel it.
        """
        starting = [self._starting.popleft() for _ in range(min(most, len(self._starting)))]
        for job in starting:
            if self._group is None:  # this worker is being stopped: the next takes the run up
                self._drop(job)
            else:
                self._carrying[job.run_id] = self._group.create_task(self._look_after(job))
        self._pacing = bool(starting)
        if self._pacing:
            asyncio.get_running_loop().call_soon(self._start)

    def withdraw(self, run_id: UUID) -> None:
        """The run needs no hand, or waits to be claimed like others."""
        if self._promised.pop(run_id, None) is not None:
            self._kernel.hub.end(run_id, ended=False)
        self.wake()

    def _hand_free(self) -> bool:
        return len(self._jobs) + len(self._promised) < self._kernel.settings.workers

    def _may_take_background(self) -> bool:
        """Whether a hand would be left for a run that somebody waits for."""
        taken = sum(job.background for job in self._jobs.values()) + sum(self._promised.values())
        return taken < max(1, self._kernel.settings.workers - 1)

    # --- runs that are claimed ----------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Work until cancelled. A database that is gone is brought back, or waited for."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew())
                self._group = group
                try:
                    await self._claim_all(group)
                finally:
                    self._group = None
        finally:
            if not self._shares_liveness:
                await self.liveness.release()

    async def _claim_all(self, group: asyncio.TaskGroup) -> None:
        """Claim what there is to claim, for ever."""
        while True:
            self._wake.clear()
            job = await self._next()
            if job is None:
                await self._idle()
            else:
                self._carrying[job.run_id] = group.create_task(self._look_after(job))

    async def _next(self) -> Job | None:
        """Claim a run; None if there is nothing to do, no hand free, or no database."""
        if not self._hand_free():
            return None
        try:
            await self.liveness.hold()
            async with self._kernel.database.transaction() as session:
                seconds = self._kernel.settings.lease_seconds
                run = await runs.claim(
                    session,
                    self.id,
                    lease_seconds=seconds,
                    busy={*self._jobs, *self._promised},
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
        return await self._claimed(run)

    async def _claimed(self, run: Run) -> Job | None:
        """The claimed run as a job of ours; None for one that keeps taking its workers down, which ends here."""
        job = Job.of(run, self._kernel.hub)
        if run.epoch - run.steps > CLAIMS_WITHOUT_STEP:
            error = RunBroken(f"run {run.id}", claims=run.epoch)
            with suppress(LeaseLost, StoreUnavailable):
                await finish(job, self._kernel, RunState.failed, StopReason.error, error)
            return None
        return self._hold(job)

    def _hold(self, job: Job) -> Job:
        self._jobs[job.run_id] = job
        self._early.run_began(job.conversation_id)
        return job

    def _drop(self, job: Job) -> None:
        """The run has ended, or is somebody else's now."""
        self._jobs.pop(job.run_id, None)
        self._carrying.pop(job.run_id, None)
        self._kernel.hub.end(job.run_id, ended=job.ended)
        if job.worth_paging:
            self._early.run_ended(job.conversation_id)
        if job.others_wait or not job.ended:
            self.wake()

    async def _look_after(self, job: Job) -> None:
        """Carry the run under a lease that is renewed meanwhile. No failure of one run reaches another."""
        try:
            await self._persevere(job)
        except LeaseLost as error:
            log.warning("run %s is left to whoever claims it next: %s", job.run_id, error)
        except asyncio.CancelledError:
            if not job.lost:
                raise
            log.warning("run %s: the lease is lost", job.run_id)
        except Exception as error:
            log.exception("run %s failed", job.run_id)
            await self._give_up(job, error)
        finally:
            self._drop(job)

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

    async def _renew(self) -> None:
        """Extend the leases, all in one statement; hand on requests to cancel that came through the store."""
        lease = self._kernel.settings.lease_seconds
        suspects: set[UUID] = set()
        while True:
            await asyncio.sleep(min(lease / 3, 1.0))
            held = list(self._jobs.values())
            try:
                renewed = await asyncio.gather(*(self._renewed(job) for job in held))
            except StoreError as error:
                log.warning("the leases could not be renewed: %s", error)
                continue
            missed = [job.run_id for job, cancelled in zip(held, renewed, strict=True) if cancelled is None]
            # A run that has just been stored as ended is missing, too: its job is about to go.
            for run_id in suspects.intersection(missed):
                self._lose(run_id)
            suspects = set(missed)
            for job in (job for job, cancelled in zip(held, renewed, strict=True) if cancelled):
                job.cancel.set()

    async def _renewed(self, job: Job) -> bool | None:
        lease = self._kernel.settings.lease_seconds
        return await runs.renew(self._kernel.database, job.run_id, job.epoch, lease_seconds=lease)

    def _lose(self, run_id: UUID) -> None:
        """The lease is another's: let go of the run."""
        if run_id in self._carrying:
            self._jobs[run_id].lost = True
            self._carrying[run_id].cancel()

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
