"""The worker of a trial: a forked process that accepts the tasks and carries them, and dies where it is told to."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from pagemind.definitions.schema import DEFAULT_TOOLS
from pagemind.engine.carry import carry
from pagemind.engine.embedders import Embedders
from pagemind.engine.indexer import Indexer
from pagemind.engine.persist import Persist, persist
from pagemind.engine.policy import Limits
from pagemind.engine.runtime import Runtime
from pagemind.engine.worker import Worker
from pagemind.faults import install
from pagemind.records import RunState
from pagemind.settings import Settings
from pagemind.store import runs
from pagemind.testing.crash.scenario import OUTSIDE, SHORT, TASKS, TaskReasoner, task_text
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import HashEmbedder

DIED = 137
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Death:
    """Die at the ``visit``-th time the process passes ``point``."""

    point: str
    visit: int = 1

    def __str__(self) -> str:
        return f"{self.point}@{self.visit}"


@dataclass(frozen=True)
class Life:
    """One life of a worker: where it works, where it dies (None: it lives), and how it stores steps."""

    server_home: Path
    work_home: Path
    tenant_id: UUID
    death: Death | None
    persist: Persist = persist


@dataclass(frozen=True)
class Outcome:
    """How a life ended: the exit status, the tasks whose acceptance was answered, the visits of each point."""

    status: int
    accepted: frozenset[int]
    visits: Counter[str]


def live(life: Life) -> Outcome:
    """Fork the life, and see how it ends. The caller must have no threads and no event loop."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            asyncio.run(asyncio.wait_for(work(life, writer), DEADLINE_SECONDS))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        words = [line.split() for line in pipe]
    _, waited = os.waitpid(child, 0)
    accepted = frozenset(int(value) for kind, value in words if kind == "accepted")
    return Outcome(os.waitstatus_to_exitcode(waited), accepted, Counter(value for kind, value in words if kind == "visit"))


async def work(life: Life, report: int) -> None:
    """Send every task, as a client does that was never answered, and carry whatever is unfinished to its end.

    The first task comes before anybody works, so that it is claimed; those after it are born in the worker's hands.
    """
    install(partial(visit, life.death, Counter[str](), report))
    settings = Settings(
        home=life.server_home, tenant_id=life.tenant_id, message_limit_chars=100_000, reasoner_url="demo", embedder="hash-8"
    )
    runtime = await Runtime.open(settings, reasoner=TaskReasoner(), embedder=HashEmbedder(), work=False)
    kernel = runtime.kernel = runtime.kernel.with_tools(life.work_home / "tools")
    agent = await make_agent(runtime, "worker", {"human": ""}, {"summary_tokens": 64}, tools=[*DEFAULT_TOOLS, *OUTSIDE])
    conversation = await runtime.conversation(agent)
    worker = runtime.worker = Worker(kernel, partial(carry, persist=life.persist))
    indexer = Indexer(kernel, Embedders(settings, kernel.embedder))
    serving: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        for task in range(TASKS):
            limits = Limits(max_steps=1 if task == SHORT else 50, max_seconds=600, max_tokens=1_000_000)
            key = f"task-{task}"
            run = await runtime.accept(conversation.id, task_text(task), idempotency_key=key, limits=limits)
            os.write(report, f"accepted {task}\n".encode())
            serving = serving or [group.create_task(part.serve()) for part in (worker, indexer)]
            await ended(runtime, run.id)
        await runtime.indexed()
        for part in serving:
            part.cancel()
    await runtime.close()


async def ended(runtime: Runtime, run_id: UUID) -> None:
    """Wait until the run is in a final state."""
    while True:
        async with runtime.kernel.database.transaction() as session:
            state = (await runs.get(session, run_id)).state
        if state not in (RunState.queued, RunState.running):
            return
        await asyncio.sleep(0.005)


def visit(death: Death | None, visits: Counter[str], report: int, point: str) -> None:
    """Report the visit of a fault point, and die there if this is the one."""
    visits[point] += 1
    os.write(report, f"visit {point}\n".encode())
    if death is not None and death.point == point and death.visit == visits[point]:
        os._exit(DIED)


def lives(first: Life, deaths: Sequence[Death]) -> list[Outcome]:
    """One life for each death, and a last one that finishes the work."""
    plan = [*deaths, None]
    return [live(Life(first.server_home, first.work_home, first.tenant_id, death, first.persist)) for death in plan]
