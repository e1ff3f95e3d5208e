"""Archives of several sizes in one store: how fast they are filled and searched, and what their passages take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pagemind.engine.runtime import Runtime
from pagemind.testing.measure.retrieval.archives import AT_ONCE, Rows, fill, made_archive, put, settled, tags_by_chance
from pagemind.testing.measure.retrieval.cached import vectors_of
from pagemind.testing.measure.retrieval.footprint import PerPassage, between, taken
from pagemind.testing.measure.retrieval.loading import loading_figures
from pagemind.testing.measure.retrieval.nearest import Nearest, nearest_figures
from pagemind.testing.measure.retrieval.searches import Timed, timed
from pagemind.testing.measure.retrieval.sentences import notes
from pagemind.testing.measure.retrieval.sizes import Size
from pagemind.testing.measure.retrieval.synthetic import synthetic_rows, vocabulary_of

Told = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where vectors are kept, and who hears what is being measured."""

    cache: Path
    told: Told


async def scale_figures(runtime: Runtime, place: Place, size: Size) -> AsyncIterator[tuple[str, Any]]:
    """The parts of the report by name, each as soon as it is known, and again when it has grown."""
    generated = list(notes(max(size.texts, size.loading), size.seed))
    texts = [note.text for note in generated[: size.texts]]
    yield "loading", await loading_figures(runtime, [note.text for note in generated[: size.loading]], size.rounds, place.told)
    await settled(runtime, place.told)
    place.told(f"vectors of {len(texts):,} texts (kept in {place.cache})")
    vectors = await vectors_of(runtime.kernel.embedder, texts, place.cache, place.told)
    rows = Rows(texts, vectors, tags_by_chance(len(texts), size.seed))
    bench = Bench(runtime, place, rows, [note.question for note in generated[: size.queries]], size)
    for passages in sorted(size.sizes):
        await bench.one_archive(passages)
        yield "searches", tuple(bench.searches)
        yield "sizes", dict(bench.sizes)
        yield "nearest", tuple(bench.nearest)
    await bench.many_archives()
    yield "searches", tuple(bench.searches)
    yield "sizes", dict(bench.sizes)


class Bench:
    """The archives of one store, filled one after the other, and what was measured in each."""

    def __init__(self, runtime: Runtime, place: Place, rows: Rows, questions: Sequence[str], size: Size) -> None:
        self._runtime = runtime
        self._told = place.told
        self._rows = rows
        self._questions = questions
        self._size = size
        self._stored = 0
        self.searches: list[Timed] = []
        self.nearest: list[Nearest] = []
        self.sizes: dict[str, PerPassage] = {}

    async def one_archive(self, passages: int) -> None:
        """Fill an archive and search it; the largest of real texts also against the exact nearest."""
        real = passages <= len(self._rows.texts)
        name = f"{passages:,} passages{'' if real else ', synthetic'}"
        self._told(f"an archive of {name}")
        before = await taken(self._runtime, self._stored)
        archive_id = await made_archive(self._runtime, name)
        ids = await self._filled(archive_id, passages)
        settling = await settled(self._runtime, self._told)
        self._stored += passages
        self.sizes[name] = between(before, await taken(self._runtime, self._stored), settling)
        self._told(f"searches among {name}")
        self.searches.append(await timed(self._runtime, name, [archive_id], passages, self._questions))
        if passages == max((each for each in self._size.sizes if each <= len(self._rows.texts)), default=0):
            rows = self._rows.some(0, passages)
            self.nearest = await nearest_figures(self._runtime, archive_id, rows, ids, self._questions, self._told)

    async def _filled(self, archive_id: UUID, passages: int) -> list[UUID]:
        """Store real rows as far as there are so many, otherwise synthetic ones; the ids of real ones."""
        if passages <= len(self._rows.texts):
            return await fill(self._runtime, archive_id, self._rows.some(0, passages), self._told)
        done = 0
        vocabulary = vocabulary_of(self._rows.texts)
        for rows in synthetic_rows(passages, self._rows.vectors, vocabulary, self._size.seed, AT_ONCE):
            await put(self._runtime, archive_id, rows)
            done += len(rows.texts)
            if done % (20 * AT_ONCE) == 0:
                self._told(f"  {done:,} of {passages:,} passages stored")
        return []

    async def many_archives(self) -> None:
        """Fill many small archives and search in one of them at a time."""
        archives, each = self._size.many
        name = f"{archives:,} archives of {each:,} passages"
        self._told(name)
        before = await taken(self._runtime, self._stored)
        vocabulary = vocabulary_of(self._rows.texts)
        ids: list[UUID] = []
        for rows in synthetic_rows(archives * each, self._rows.vectors, vocabulary, self._size.seed + 1, each):
            ids.append(await made_archive(self._runtime, f"small {len(ids)}"))
            await put(self._runtime, ids[-1], rows)
            if len(ids) % 1_000 == 0:
                self._told(f"  {len(ids):,} of {archives:,} archives filled")
        settling = await settled(self._runtime, self._told)
        self._stored += archives * each
        self.sizes[name] = between(before, await taken(self._runtime, self._stored), settling)
        self._told(f"searches in one of {name}")
        self.searches.append(await timed(self._runtime, name, ids, each, self._questions))
