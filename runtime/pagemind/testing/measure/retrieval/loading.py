"""How fast passages come in with their vectors, beside what the embedder does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from pagemind.engine.archival import Draft
from pagemind.engine.bulk import WINDOW, import_passages, vectors_of
from pagemind.engine.runtime import Runtime
from pagemind.testing.measure.retrieval.archives import made_archive

Told = Callable[[str], None]
TARGET = 0.9
"""Of the embedder's own throughput."""


@dataclass(frozen=True)
class Loading:
    """Texts a second: those imported with their vectors, and those that the embedder alone embeds, by turns; medians."""

    texts: int
    rounds: int
    imported_per_second: float
    embedded_per_second: float

    @property
    def ratio(self) -> float:
        """What of the embedder's throughput an import has."""
        return self.imported_per_second / self.embedded_per_second


async def loading_figures(runtime: Runtime, texts: Sequence[str], rounds: int, told: Told) -> Loading:
    """Embed the texts as an import does, windows of them at a time, then import them into a new archive; again each round."""
    embedded: list[float] = []
    imported: list[float] = []
    await runtime.kernel.embedder.embed(texts[:64], kind="document")
    for turn in range(rounds):
        told(f"{len(texts):,} texts embedded, and imported, round {turn + 1} of {rounds}")
        begun = time.perf_counter()
        for begin in range(0, len(texts), WINDOW):
            await vectors_of(runtime.kernel.embedder, texts[begin : begin + WINDOW])
        embedded.append(len(texts) / (time.perf_counter() - begun))
        archive_id = await made_archive(runtime, f"import {turn}")
        done = await import_passages(runtime.kernel, archive_id, (Draft(text, source="bench") for text in texts))
        imported.append(done.stored / done.seconds)
    return Loading(len(texts), rounds, median(imported), median(embedded))
