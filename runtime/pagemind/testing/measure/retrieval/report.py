"""All figures of one run of the bench of retrieval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.measure.retrieval.cached import cache_folder
from pagemind.testing.measure.retrieval.footprint import PerPassage
from pagemind.testing.measure.retrieval.loading import Loading
from pagemind.testing.measure.retrieval.nearest import Nearest
from pagemind.testing.measure.retrieval.recall import RecallFigures, recall_figures
from pagemind.testing.measure.retrieval.scale import Place, scale_figures
from pagemind.testing.measure.retrieval.searches import Timed
from pagemind.testing.measure.retrieval.sizes import Size
from pagemind.testing.measure.retrieval.talks import talks_in

Told = Callable[[str], None]
EMBED_SECONDS = 120.0
"""A busy machine must not make a search go on by words alone: then something else would be measured."""


@dataclass(frozen=True)
class Report:
    """What has been measured so far. ``skipped`` says what was not, and why."""

    embedder: str
    size: Size
    recall: RecallFigures | None = None
    loading: Loading | None = None
    nearest: Sequence[Nearest] = ()
    searches: Sequence[Timed] = ()
    sizes: dict[str, PerPassage] = field(default_factory=dict[str, PerPassage])
    skipped: dict[str, str] = field(default_factory=dict[str, str])

    def figures(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "locomo": self.recall.figures() if self.recall else None,
            "nearest": [asdict(each) for each in self.nearest],
            "searches": [{**asdict(each), "embedding_share": each.embedding_share} for each in self.searches],
            "loading": {**asdict(self.loading), "ratio": self.loading.ratio} if self.loading else None,
            "per_passage": {name: {**asdict(each), "disk_bytes": each.disk_bytes} for name, each in self.sizes.items()},
            "skipped": self.skipped,
            "embedder": self.embedder,
            "size": asdict(self.size),
        }


@dataclass(frozen=True)
class Parts:
    """What is measured, and where: ``recall`` on the conversations in ``data``, ``speed`` on archives that are made here."""

    data: Path | None
    recall: bool = True
    speed: bool = True


async def measure(settings: Settings, size: Size, parts: Parts, told: Told, kept: Callable[[Report], None]) -> Report:
    """Take the figures in a home folder that is gone afterwards; ``kept`` hears of the report after each part.

    Only the vectors of the generated texts stay, in ``cache/bench-retrieval`` of the configured home folder.
    """
    report = Report(settings.embedder, size)
    with TemporaryDirectory(prefix="pagemind-bench-") as folder:
        own = settings.model_copy(
            update={
                "home": Path(folder),
                "database_url": None,
                "migration_url": None,
                "reasoner_url": "demo",
                "embed_seconds": EMBED_SECONDS,
            }
        )
        async with await Runtime.open(own, work=False) as runtime:
            if runtime.kernel.second_stage:
                await runtime.kernel.second_stage.reranker.ready()
            if parts.recall:
                report = await with_recall(report, runtime, parts.data, told)
                kept(report)
            if parts.speed:
                async for name, value in scale_figures(runtime, Place(cache_folder(settings.home), told), size):
                    report = replace(report, **{name: value})
                    kept(report)
    return report


async def with_recall(report: Report, runtime: Runtime, data: Path | None, told: Told) -> Report:
    """The report with the recall on the conversations, or with the reason why there is none."""
    talks = talks_in(data)[: report.size.conversations] if data else []
    if not any(talk.questions for talk in talks):
        where = "no folder was named" if data is None else f"there are no conversations with questions in {data}"
        return replace(report, skipped={**report.skipped, "locomo": where})
    return replace(report, recall=await recall_figures(runtime, talks, told, ablate=report.size.ablate))
