"""``pagemind bench-faults``: what ``memory.keep_tokens`` does to page faults."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from pagemind.settings import Settings
from pagemind.testing.measure.faults import QUICK, Arm, Figures, Size, fault_figures
from pagemind.testing.vectors import WordEmbedder

PIPE_COLUMNS = 110


def bench_faults(*, quick: bool, seed: int, keep_tokens: int | None, figures: Path | None) -> int:
    """Measure, print the table, write the figures; the exit status."""
    size = QUICK if quick else Size()
    size = size if keep_tokens is None else Size(size.facts, size.questions, size.window_tokens, keep_tokens)
    with TemporaryDirectory(prefix="pagemind-faults-") as home:
        settings = Settings(home=Path(home), database_url=None, migration_url=None, reasoner_url="demo")
        found = asyncio.run(fault_figures(settings, size, seed, told=tell, embedder=WordEmbedder if quick else None))
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    told = f"{size.facts} facts told once, then {size.questions} questions about them"
    console.print(f"{told}, in a window of {size.window_tokens:,} tokens, seed {seed}.")
    for popularity, both in found.items():
        console.print(table(popularity, both))
    embedder = "the embedder only counts words" if quick else "so is the embedder"
    console.print(f"A ratio below 1 says that keeping helps. Runtime and Postgres are real, {embedder}, the model is a rule.")
    if figures is not None:
        both = {popularity: each.figures() for popularity, each in found.items()}
        figures.write_text(json.dumps({"size": asdict(size), "seed": seed, **both}, indent=2) + "\n")
    return 0


def tell(what: str) -> None:
    """Say what is being measured."""
    print(f"measuring {what}", file=sys.stderr, flush=True)


def table(popularity: str, both: Figures) -> Table:
    """Both arms side by side, each figure for 100 questions where that makes sense."""
    keeping = f"keep_tokens {both.keeping.keep_tokens}"
    shown = Table("figure", "keep_tokens 0", keeping, "ratio", title=f"{popularity} popularity", title_justify="left")
    per_question: dict[str, Callable[[Arm], float]] = {
        "page faults per 100 questions": lambda arm: 100 * arm.faults / arm.questions,
        "tokens brought back per 100 questions": lambda arm: 100 * arm.fault_tokens / arm.questions,
        "questions that needed a search, per 100": lambda arm: 100 * arm.miss_share,
        "model calls per question": lambda arm: arm.model_calls / arm.questions,
        "prompt tokens per question": lambda arm: arm.prompt_tokens / arm.questions,
        "compactions": lambda arm: arm.compactions,
    }
    for name, figure in per_question.items():
        ratio = both.ratio(figure)
        cells = [number(figure(arm)) for arm in (both.without, both.keeping)]
        shown.add_row(name, *cells, f"{ratio:.2f}" if ratio is not None else "–")
    arms = (both.without, both.keeping)
    shown.add_row("messages kept in view by a compaction", *(number(arm.kept_messages) for arm in arms), "")
    shown.add_row("answered rightly", *(f"{arm.right} of {arm.questions}" for arm in arms), "")
    return shown


def number(value: float) -> str:
    """``1,204``, ``31.5``, ``1.27``."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
