"""The server's figures: each the median of three, all from one server process."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from pagemind.testing.measure.server.load import Agent, agents, round_trips
from pagemind.testing.measure.server.process import Server, stub_server

Told = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    repeats: int = 3
    messages: int = 300
    """Of one agent, one after the other."""
    crowds: tuple[int, ...] = (16, 64)
    crowd_messages: int = 3_000
    """Of a crowd, in all."""
    first_events: int = 200
    streams: int = 500
    stream_tokens: int = 50
    passages: int = 1_000
    memory_runs: int = 20_000


QUICK = Size(
    repeats=1,
    messages=10,
    crowds=(8,),
    crowd_messages=40,
    first_events=5,
    streams=20,
    stream_tokens=5,
    passages=20,
    memory_runs=100,
)


@dataclass(frozen=True)
class Alone:
    """One agent's blocking messages."""

    p50_ms: float
    p95_ms: float
    server_cpu_ms: float
    postgres_cpu_ms: float
    round_trips: float


@dataclass(frozen=True)
class Crowd:
    """Agents that are talked to at once, each without a pause. Processor time and round trips are of one run."""

    agents: int
    runs_per_second: float
    p50_ms: float
    p95_ms: float
    server_cpu_ms: float
    postgres_cpu_ms: float
    round_trips: float


@dataclass(frozen=True)
class Streams:
    """Streams at once, a token each tenth of a second: the gaps between their pieces."""

    streams: int
    gap_p50_ms: float
    gap_p99_ms: float
    gap_max_ms: float
    server_cpu_share: float
    """Of one processor."""


@dataclass(frozen=True)
class Memory:
    """The server's resident memory over many runs, measured after a tenth of them, after half, and at the end."""

    runs: int
    early_mib: float
    half_mib: float
    end_mib: float

    @property
    def bytes_per_run(self) -> float:
        """What the second half added, by run."""
        return (self.end_mib - self.half_mib) * 2**20 / (self.runs / 2)


@dataclass(frozen=True)
class Report:
    """All figures."""

    alone: Alone
    crowds: Sequence[Crowd]
    first_event_ms: float
    streams: Streams
    passages_per_second: float
    memory: Memory

    def figures(self) -> dict[str, object]:
        """As JSON values."""
        return {**asdict(self), "memory": {**asdict(self.memory), "bytes_per_run": self.memory.bytes_per_run}}


async def measure(size: Size, told: Told) -> Report:
    """Start a server in a home folder that is gone afterwards, and measure."""
    with TemporaryDirectory(prefix="pagemind-bench-") as folder, stub_server(Path(folder)) as server:
        told("one agent")
        alone = await alone_figures(server, size)
        crowds: list[Crowd] = []
        for count in size.crowds:
            told(f"{count} agents at once")
            crowds.append(await crowd_figures(server, count, size))
        told("the first event of a stream")
        first_event_ms = await first_event_figures(server, size)
        told(f"{size.streams} streams at once")
        streams = await stream_figures(server, size)
        told("passages")
        passages = await passage_figures(server, size)
        told(f"memory over {size.memory_runs:,} runs")
        memory = await memory_figures(server, size)
    return Report(alone, crowds, first_event_ms, streams, passages, memory)


@dataclass(frozen=True)
class Spent:
    """What some runs took: milliseconds of each, seconds in all, and of each run the processor time and round trips."""

    milliseconds: list[float]
    seconds: float
    server_cpu_ms: float
    postgres_cpu_ms: float
    round_trips: float

    def percentile(self, percent: int) -> float:
        """Of the milliseconds."""
        return statistics.quantiles(self.milliseconds, n=100, method="inclusive")[percent - 1]


async def spent(server: Server, work: Callable[[], Awaitable[list[float]]]) -> Spent:
    """What this work took."""
    cpu, trips, began = server.cpu_seconds(), await round_trips(server), perf_counter()
    milliseconds = await work()
    seconds = perf_counter() - began
    (own, postgres), runs = server.cpu_seconds(), len(milliseconds)
    return Spent(
        milliseconds,
        seconds,
        server_cpu_ms=(own - cpu[0]) * 1000 / runs,
        postgres_cpu_ms=(postgres - cpu[1]) * 1000 / runs,
        round_trips=(await round_trips(server) - trips) / runs,
    )


async def talk(to: Sequence[Agent], messages: int) -> list[float]:
    """Send so many messages in all, to each agent the next as soon as it has answered; the milliseconds of each."""

    async def alone(agent: Agent) -> list[float]:
        return [await agent.ask(f"Message {number}: how do you do?") for number in range(messages // len(to))]

    return [each for answers in await asyncio.gather(*map(alone, to)) for each in answers]


async def alone_figures(server: Server, size: Size) -> Alone:
    """One agent's."""
    async with agents(server, 1) as made:
        await talk(made, 10)
        found = [await spent(server, lambda: talk(made, size.messages)) for _ in range(size.repeats)]
    return Alone(
        p50_ms=statistics.median(each.percentile(50) for each in found),
        p95_ms=statistics.median(each.percentile(95) for each in found),
        server_cpu_ms=statistics.median(each.server_cpu_ms for each in found),
        postgres_cpu_ms=statistics.median(each.postgres_cpu_ms for each in found),
        round_trips=statistics.median(each.round_trips for each in found),
    )


async def crowd_figures(server: Server, count: int, size: Size) -> Crowd:
    """Many agents' at once."""
    async with agents(server, count) as made:
        await talk(made, 2 * count)
        found = [await spent(server, lambda: talk(made, size.crowd_messages)) for _ in range(size.repeats)]
    return Crowd(
        agents=count,
        runs_per_second=statistics.median(len(each.milliseconds) / each.seconds for each in found),
        p50_ms=statistics.median(each.percentile(50) for each in found),
        p95_ms=statistics.median(each.percentile(95) for each in found),
        server_cpu_ms=statistics.median(each.server_cpu_ms for each in found),
        postgres_cpu_ms=statistics.median(each.postgres_cpu_ms for each in found),
        round_trips=statistics.median(each.round_trips for each in found),
    )


async def first_event_figures(server: Server, size: Size) -> float:
    """The median milliseconds to a stream's first event."""
    async with agents(server, 1) as [agent]:
        await agent.first_event("Hello.")
        medians = [
            statistics.median([await agent.first_event(f"Message {number}") for number in range(size.first_events)])
            for _ in range(size.repeats)
        ]
    return statistics.median(medians)


async def stream_figures(server: Server, size: Size) -> Streams:
    """Many streams at once."""
    async with agents(server, size.streams) as made:
        found: list[Streams] = []
        for _ in range(size.repeats):
            (before, _), began = server.cpu_seconds(), perf_counter()
            gaps = [gap for each in await asyncio.gather(*(agent.gaps(size.stream_tokens) for agent in made)) for gap in each]
            (after, _), seconds = server.cpu_seconds(), perf_counter() - began
            parts = statistics.quantiles(gaps, n=100, method="inclusive")
            found.append(Streams(size.streams, parts[49], parts[98], max(gaps), (after - before) / seconds))
    return sorted(found, key=lambda each: each.gap_p99_ms)[len(found) // 2]


async def passage_figures(server: Server, size: Size) -> float:
    """Passages created each second, by sixteen agents."""
    async with agents(server, 16) as made:

        async def fill(agent: Agent, repeat: int) -> None:
            for number in range(size.passages // len(made)):
                await agent.archive(f"Fact {repeat}.{number}: the ship {number} sailed from harbour {number % 7}.")

        seconds: list[float] = []
        for repeat in range(size.repeats):
            began = perf_counter()
            await asyncio.gather(*(fill(agent, repeat) for agent in made))
            seconds.append(perf_counter() - began)
    return size.passages // 16 * 16 / statistics.median(seconds)


async def memory_figures(server: Server, size: Size) -> Memory:
    """The server's memory over many runs of 64 agents, whose windows are paged on the way."""
    async with agents(server, 64) as made:
        held: list[float] = []
        for share in (0.1, 0.4, 0.5):
            await talk(made, max(64, int(size.memory_runs * share)))
            held.append(server.memory_bytes() / 2**20)
    return Memory(size.memory_runs, *held)
