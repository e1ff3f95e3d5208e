"""Round trips to the database, counted step by step where nothing else is at work."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import event

from pagemind.engine.begin import begin
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.persist import Draft, Persisted, persist
from pagemind.engine.step import read, run_step
from pagemind.records import CallRequest
from pagemind.settings import Settings
from pagemind.store import runs
from pagemind.store.database import Database
from pagemind.testing.runtime import Bench, bench
from pagemind.testing.scripted import call
from pagemind.testing.vectors import HashEmbedder


@dataclass
class Trips:
    """``round_trips`` count the opening and the end of each transaction, ``statements`` do not."""

    transactions: int = 0
    statements: int = 0
    round_trips: int = 0


@dataclass(frozen=True)
class StepTrips:
    """One step's, in all and of its two parts that every step has."""

    total: Trips
    read: Trips
    persist: Trips


@contextmanager
def counted(database: Database) -> Generator[Trips]:
    """Count what is sent meanwhile."""
    trips = Trips()
    before, messages_before = database.round_trips, database.express.messages

    def begun(_: object) -> None:
        trips.transactions += 1

    event.listen(database.engine.sync_engine, "begin", begun)
    try:
        yield trips
    finally:
        event.remove(database.engine.sync_engine, "begin", begun)
        trips.round_trips = database.round_trips - before
        trips.statements = trips.round_trips - 2 * trips.transactions
        # What goes by express opens and ends its transaction in the same round trip.
        trips.transactions += database.express.messages - messages_before


async def trip_figures(settings: Settings) -> dict[str, StepTrips]:
    """Trips of a step by what it does: a reply in words, an edit of a block, a search of the conversation."""
    lines: dict[str, str | CallRequest] = {
        "edit": call("core_memory_append", label="human", content="Likes green tea."),
        "search": call("conversation_search", query="tea"),
        "reply": "Noted.",
    }
    own = settings.model_copy(update={"tenant_id": uuid4()})
    async with bench(own, embedder=HashEmbedder(), work=False) as chat:
        chat.model.will("Hello.")
        # The first step of a conversation renders the blocks: it is not like those that follow.
        await run_step(*await started(chat, "Hello."))
        chat.model.will(*lines.values())
        job, kernel = await started(chat, "I like green tea.")
        return {name: await step_trips(job, kernel) for name in lines}


async def started(chat: Bench, text: str) -> tuple[Job, Kernel]:
    """A run accepted, claimed and begun, without any worker."""
    runtime = chat.runtime
    await runtime.accept(chat.conversation.id, text)
    async with runtime.kernel.database.transaction() as session:
        run = await runs.claim(session, uuid4(), lease_seconds=60)
    assert run is not None
    job = Job.of(run, runtime.kernel.hub)
    return job, await begin(job, runtime.kernel)


async def step_trips(job: Job, kernel: Kernel) -> StepTrips:
    """Make one step and count; only the first step of a run has to read."""
    storing = Trips()

    async def counting(job: Job, kernel: Kernel, draft: Draft, /) -> Persisted:
        nonlocal storing
        with counted(kernel.database) as storing:
            return await persist(job, kernel, draft)

    with counted(kernel.database) as reading:
        view = await read(job, kernel)
    with counted(kernel.database) as total:
        await run_step(job, kernel, view, counting)
    return StepTrips(total, reading, storing)
