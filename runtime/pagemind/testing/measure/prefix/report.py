"""All figures of one run of the bench of prefixes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pagemind.model.discover import find_reasoner
from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.measure.prefix.behind import BehindFigures, behind
from pagemind.testing.measure.prefix.counters import block_size
from pagemind.testing.measure.prefix.crowd import CrowdFigures, crowd
from pagemind.testing.measure.prefix.own_time import OwnTimeFigures, own_time
from pagemind.testing.measure.prefix.sizes import Size
from pagemind.testing.measure.prefix.talk import EVERY_TURN, NAIVE, PAGEMIND, WRITE_THROUGH, CountFigures, TalkFigures, talk

Told = Callable[[str, int, int], None]
"""Hears what is being measured, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Report:
    """The figures. ``references`` are the same conversation under policies that keep less of the prefix."""

    server: str
    block_size: int | None
    talk: TalkFigures
    every_turn: TalkFigures
    references: Sequence[TalkFigures]
    crowd: CrowdFigures
    behind: BehindFigures
    own_time: OwnTimeFigures

    @property
    def counts(self) -> CountFigures:
        """Our counts against the server's, over all conversations."""
        each = [figures.counts for figures in (self.talk, self.every_turn, *self.references)]
        return CountFigures(
            calls=sum(figures.calls for figures in each),
            equal=sum(figures.equal for figures in each),
            largest_difference=max(figures.largest_difference for figures in each),
            corrected=sum(figures.corrected for figures in each),
        )

    def figures(self) -> dict[str, Any]:
        """As one JSON object; what the targets are set for stands at the top."""
        return {
            "recomputed_tokens_per_call": self.talk.recomputed_tokens_per_call,
            "cached_share": self.talk.cached_share,
            "recomputed_tokens_per_call_edit_every_turn": self.every_turn.recomputed_tokens_per_call,
            "cached_share_edit_every_turn": self.every_turn.cached_share,
            "shared_static_share": self.crowd.shared_share,
            "first_reply_seconds": {wait.mode: wait.first_piece_seconds for wait in self.behind.waits},
            "counts": asdict(self.counts),
            "own_ms_per_step": self.own_time.median_ms,
            **asdict(self),
        }


def measure(settings: Settings, size: Size, told: Told) -> Report:
    """Take all figures against the vLLM that ``settings`` name, on a database that is gone afterwards."""
    with TemporaryDirectory(prefix="pagemind-bench-") as name:
        server = EmbeddedPostgres(Path(name) / "server")
        server.join()
        try:
            update = {"home": server.home.folder, "embedder": "hash-8", "database_url": None}
            return asyncio.run(all_figures(settings.model_copy(update=update), size, told))
        finally:
            server.leave()


async def all_figures(settings: Settings, size: Size, told: Told) -> Report:
    """One figure after the other."""

    def telling(what: str) -> Callable[[int, int], None]:
        told(what, 0, 0)
        return lambda done, total: told(what, done, total)

    reasoner = await find_reasoner(settings)
    server, size_of_block = reasoner.name, await block_size(reasoner.url)
    await reasoner.close()
    # First what is timed without the server: it is to be idle then.
    told_own = telling("own time of a step")
    own = await own_time(settings, size.step_rounds)
    told_own(own.steps, own.steps)
    main = await talk(settings, size, PAGEMIND, telling(PAGEMIND.name))
    every_turn = await talk(settings, size, EVERY_TURN, telling(EVERY_TURN.name))
    layouts = (WRITE_THROUGH, NAIVE) if size.references else ()
    references = [await talk(settings, size, layout, telling(layout.name)) for layout in layouts]
    many = await crowd(settings, size, telling("agents of one definition in turn"))
    waits = await behind(settings, size, telling("a turn behind background calls"))
    return Report(server, size_of_block, main, every_turn, references, many, waits, own)
