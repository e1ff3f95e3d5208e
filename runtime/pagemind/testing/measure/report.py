"""All figures of one run of the bench."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.measure.embedding import EmbedderFigures, embedder_figures
from pagemind.testing.measure.memory import MemoryFigures, memory_figures
from pagemind.testing.measure.starts import StartFigures, start_figures
from pagemind.testing.measure.steps import StepFigures, step_figures
from pagemind.testing.measure.trips import StepTrips, trip_figures

Told = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much is done for each figure."""

    agents: int = 32
    rounds_alone: int = 12
    rounds_together: int = 3
    starts: int = 5
    texts: int = 400


QUICK = Size(agents=4, rounds_alone=1, rounds_together=1, starts=1, texts=32)


@dataclass(frozen=True)
class Report:
    """The figures; ``reference`` is sentence-transformers, None where it is not installed."""

    alone: StepFigures
    together: StepFigures
    trips: dict[str, StepTrips]
    start: StartFigures
    memory: MemoryFigures | None
    embedder: EmbedderFigures
    reference: EmbedderFigures | None

    @property
    def throughput_ratio(self) -> float | None:
        """Our embeds a second over the reference's."""
        return self.embedder.embeds_per_second / self.reference.embeds_per_second if self.reference else None

    @property
    def latency_ratio(self) -> float | None:
        """The reference's time for one text over ours."""
        return self.reference.single_milliseconds / self.embedder.single_milliseconds if self.reference else None

    def figures(self) -> dict[str, Any]:
        """As one JSON object."""
        return {**asdict(self), "throughput_ratio": self.throughput_ratio, "latency_ratio": self.latency_ratio}


def measure(size: Size, told: Told) -> Report:
    """Take all figures, in home folders that are gone afterwards; ``told`` hears what is being measured."""
    with TemporaryDirectory(prefix="pagemind-bench-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "server")
        server.join()
        try:
            settings = Settings(home=folder / "server", embedder="hash-8", database_url=None, reasoner_url="demo")
            told("round trips of a step")
            trips = asyncio.run(trip_figures(settings))
            told(f"own time of a step, 1 agent, {size.rounds_alone} runs")
            alone = asyncio.run(step_figures(settings, agents=1, rounds=size.rounds_alone))
            told(f"own time of a step, {size.agents} agents at once, {size.rounds_together} runs each")
            together = asyncio.run(step_figures(settings, agents=size.agents, rounds=size.rounds_together))
        finally:
            server.leave()
        told(f"start to prompt, {size.starts} times")
        start = start_figures(folder, starts=size.starts)
        told("memory of an idle process")
        memory = memory_figures(folder)
        told("embeddings")
        embedder, reference = embedder_figures(size.texts)
    return Report(alone, together, trips, start, memory, embedder, reference)
