"""Figures of the local embedder, and of sentence-transformers with the same weights where that is installed."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import random
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pagemind.model import weights
from pagemind.model.embedder import make_embedder
from pagemind.model.torch_embedder import TorchEmbedder
from pagemind.settings import Settings

SEED = 7
ROUNDS = 2
BATCHES = 3
SINGLES = 30
MOST_SECONDS = 300.0
QUERY = "What is my name and where do I live?"
WORDS = """
the of and memory agent ticket Porto dentist Tuesday green tea project plan meeting notes launch budget review summary
window tokens database vector search archive passage message sister birthday
"""


@dataclass(frozen=True)
class EmbedderFigures:
    """``embeds_per_second`` over a mix of lengths, ``single_milliseconds`` the median of one short query at a time."""

    name: str
    dtype: str
    embeds_per_second: float
    single_milliseconds: float


@dataclass
class Times:
    """Seconds of each batch and of each single text."""

    dtype: str
    batches: list[float] = field(default_factory=list[float])
    singles: list[float] = field(default_factory=list[float])


def embedder_figures(texts: int) -> tuple[EmbedderFigures, EmbedderFigures | None]:
    """Ours with all-MiniLM-L6-v2, and sentence-transformers' with the same weights, or None where it is not installed.

    They take turns, so that what else goes on in the machine meets both, and each has a process of its own: the idle OpenMP
    threads of one would slow the other down more than twofold on two cores.
    """
    has_other = weights.minilm_folder() is not None and importlib.util.find_spec("sentence_transformers") is not None
    ours: list[Times] = []
    theirs: list[Times] = []
    for _ in range(ROUNDS):
        ours.append(turn("pagemind", texts))
        if has_other:
            theirs.append(turn("sentence-transformers", texts))
    return figures("pagemind", ours, texts), figures("sentence-transformers", theirs, texts) if theirs else None


def figures(name: str, times: list[Times], texts: int) -> EmbedderFigures:
    """Medians over all turns."""
    batch = statistics.median(seconds for each in times for seconds in each.batches)
    single = statistics.median(seconds for each in times for seconds in each.singles)
    return EmbedderFigures(name, times[0].dtype, texts / batch, single * 1000)


def turn(who: str, texts: int) -> Times:
    """One turn of one of the two, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", __name__, who, str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=MOST_SECONDS)
    return Times(**json.loads(done.stdout.splitlines()[-1]))


async def our_turn(texts: list[str]) -> Times:
    """All texts at once, a few times, then one short query at a time."""
    with TemporaryDirectory() as folder:
        embedder = make_embedder(Settings(home=Path(folder), embedder=weights.NAME))
        await embedder.embed(texts[:32], kind="document")
        times = Times(embedder.dtype if isinstance(embedder, TorchEmbedder) else "")
        for _ in range(BATCHES):
            start = time.perf_counter()
            await embedder.embed(texts, kind="document")
            times.batches.append(time.perf_counter() - start)
        for _ in range(SINGLES):
            start = time.perf_counter()
            await embedder.embed([QUERY], kind="query")
            times.singles.append(time.perf_counter() - start)
        await embedder.close()
    return times


def their_turn(texts: list[str]) -> Times:
    """The same with sentence-transformers as it comes."""
    # No dependency of ours: imported only to be compared with.
    library: Any = importlib.import_module("sentence_transformers")
    model: Any = library.SentenceTransformer(str(weights.minilm_folder()))
    model.encode(texts[:32], show_progress_bar=False)
    times = Times("float32")
    for _ in range(BATCHES):
        start = time.perf_counter()
        model.encode(texts, show_progress_bar=False)
        times.batches.append(time.perf_counter() - start)
    for _ in range(SINGLES):
        start = time.perf_counter()
        model.encode(QUERY, show_progress_bar=False)
        times.singles.append(time.perf_counter() - start)
    return times


def mixed_texts(count: int) -> list[str]:
    """Seeded texts of 3 to 220 words, most of them short, as messages are."""
    chance = random.Random(SEED)  # noqa: S311 - a seeded mix, no secret
    words = WORDS.split()
    lengths = (min(220, max(3, int(chance.lognormvariate(3.2, 0.9)))) for _ in range(count))
    return [" ".join(chance.choice(words) for _ in range(length)) for length in lengths]


if __name__ == "__main__":
    mixed = mixed_texts(int(sys.argv[2]))
    measured = asyncio.run(our_turn(mixed)) if sys.argv[1] == "pagemind" else their_turn(mixed)
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")
