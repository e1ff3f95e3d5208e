"""The runtime's own time per step, streamed, and where it goes."""

from __future__ import annotations

import cProfile
import pstats
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from uuid import uuid4

from pagemind.engine.runtime import Runtime
from pagemind.records import Conversation, Piece, Prompt, TextPiece
from pagemind.settings import Settings
from pagemind.store import runs, steps
from pagemind.testing.measure.steps import SEEDS
from pagemind.testing.measure.workload import TURNS, InstantReasoner, place
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import HashEmbedder

PIECES = 50
STAGES = ("read", "compile", "reason", "act")
PERSIST = "persist"
STEP_KINDS = ("edit", "search", "archive", "edit", "search", "edit", "two searches", "archive", "reply")
"""What each step of the workload does."""
WAITING = "waiting for the database"
ROOMS = (
    ("method 'poll'", WAITING),
    ("pagemind/engine", "engine"),
    ("pagemind/store", "store"),
    ("pagemind/memory", "memory"),
    ("pagemind/model", "model"),
    ("pagemind/toolbox", "toolbox"),
    ("pagemind/records", "records"),
    ("pagemind/testing", "the bench itself"),
    ("/tools/", "tools"),
    ("sqlalchemy", "sqlalchemy"),
    ("sqlmodel", "sqlalchemy"),
    ("psycopg", "psycopg"),
    ("jinja2", "jinja2"),
    ("pydantic", "pydantic"),
    ("asyncio", "asyncio"),
    ("selectors", "asyncio"),
    ("json", "json"),
)
"""Parts of a file's path, and whose time it is; the first that fits."""


class StreamingReasoner(InstantReasoner):
    """Answers at once, and streams some words before each reply. ``began`` are the times at which its calls began."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[tuple[str, int, float]] = []

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """So many pieces, then the reply."""
        if prompt.purpose == "step":
            self.began.append((*place(prompt), perf_counter()))
            for _ in range(PIECES):
                yield TextPiece("word ")
        async for piece in super().stream(prompt):
            yield piece


@dataclass(frozen=True)
class OwnTimeFigures:
    """Milliseconds from the beginning of one model call to that of the next, of one agent: the model itself takes none."""

    steps: int
    pieces: int
    median_ms: float
    p95_ms: float
    by_kind_ms: Mapping[str, float]
    """Medians, by what the step does."""
    stages_ms: Mapping[str, float]
    """Means. ``reason`` is the streaming; what no stage was booked for is persisting and the way from step to step."""
    profile: Sequence[tuple[str, float]]
    """By room, its share of the processor's time under a profiler, the greatest first."""


async def own_time(settings: Settings, rounds: int) -> OwnTimeFigures:
    """Carry so many runs of the workload after one to warm up, then some under a profiler; under a fresh tenant."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    reasoner = StreamingReasoner()
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        conversation = await runtime.conversation(await make_agent(runtime, "alone", SEEDS, {}))
        await runtime.ask(conversation.id, "Task warm-up")
        reasoner.began.clear()
        for number in range(rounds):
            await runtime.ask(conversation.id, f"Task {number}")
        began = list(reasoner.began)
        stages = await stage_means(runtime, conversation)
        profile = await profiled(runtime, conversation, max(1, rounds // 4))
    gaps = [(task, index, (after - at) * 1000) for (task, index, at), (same, _, after) in pairwise(began) if same == task]
    assert len(gaps) == rounds * len(TURNS), "a run did not go as the workload says"
    whole = [gap for _, _, gap in gaps]
    median = statistics.median(whole)
    return OwnTimeFigures(
        steps=len(gaps),
        pieces=PIECES,
        median_ms=median,
        p95_ms=statistics.quantiles(whole, n=20)[-1],
        by_kind_ms=by_kind(gaps),
        stages_ms={**stages, PERSIST: max(0.0, statistics.mean(whole) - sum(stages.values()))},
        profile=profile,
    )


def by_kind(gaps: Sequence[tuple[str, int, float]]) -> dict[str, float]:
    """The median by what the step does."""
    kinds: dict[str, list[float]] = {}
    for _, index, gap in gaps:
        kinds.setdefault(STEP_KINDS[index], []).append(gap)
    return {kind: statistics.median(times) for kind, times in kinds.items()}


async def stage_means(runtime: Runtime, conversation: Conversation) -> dict[str, float]:
    """The mean milliseconds of each stage over the newest runs, as their steps were stored with them."""
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    async with runtime.kernel.database.transaction() as session:
        for run in await runs.recent(session, conversation_id=conversation.id, limit=50):
            for step in await steps.of_run(session, run.id):
                for stage in STAGES:
                    times[stage].append(float(step.timings.get(stage, 0.0)))
    return {stage: statistics.mean(each) for stage, each in times.items()}


async def profiled(runtime: Runtime, conversation: Conversation, rounds: int) -> list[tuple[str, float]]:
    """Shares of the processor's time by room."""
    profiler = cProfile.Profile()
    for number in range(rounds):
        profiler.enable()
        await runtime.ask(conversation.id, f"Task profiled {number}")
        profiler.disable()
    return shares(pstats.Stats(profiler))


def shares(stats: pstats.Stats) -> list[tuple[str, float]]:
    """The time of functions by the room of their file, waiting for the database left out."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for function, profile in stats.get_stats_profile().func_profiles.items():
        seconds[room_of(f"{profile.file_name} {function}")] += profile.tottime
    seconds.pop(WAITING, None)
    total = sum(seconds.values())
    return [(room, spent / total) for room, spent in sorted(seconds.items(), key=lambda each: -each[1])]


def room_of(place: str) -> str:
    """Whose time a function's is, by its file and name."""
    return next((room for part, room in ROOMS if part in place), "the rest of Python")
