"""``pagemind demo``: page a long conversation through a small window, then ask about it, and show what was found."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.status import Status

from pagemind.cli.demo_views import answer_lines, category_table, summary_table, time_table, window_plot
from pagemind.cli.logs import log_to
from pagemind.cli.text import counted
from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.locomo.figures import Report
from pagemind.testing.locomo.talk import Talk, read_talk
from pagemind.testing.locomo.trial import Progress, Trial


def demo(settings: Settings, *, data: Path | None, sessions: int, questions: int, seed: int, figures: Path | None) -> int:
    """Run the demo on a conversation file and print it; skips aloud without the file. The exit status."""
    console = Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else 110)
    if data is None or not data.is_file():
        where = "no file was named (--data, or make demo DATA=...)" if data is None else f"there is no file {data}"
        console.print(f"SKIPPED: the demo needs a conversation of the LoCoMo data set, and {where}.")
        return 0
    talk = read_talk(data).first(sessions)
    report = asyncio.run(paged(settings, talk, questions=questions, seed=seed, console=console))
    show(report, console)
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0


async def paged(settings: Settings, talk: Talk, *, questions: int, seed: int, console: Console) -> Report:
    """Run the trial in a home folder of its own, which is gone afterwards: nobody's agents are touched."""
    with tempfile.TemporaryDirectory(prefix="pagemind-demo-") as folder:
        home = Path(folder)
        log_to(home)
        own = settings.model_copy(update={"home": home, "database_url": None, "migration_url": None})
        async with await Runtime.open(own) as runtime:
            console.print(f"Reasoner: {runtime.reasoner.name}. Home: a temporary folder.")
            asked = talk.draw(questions, seed)
            turns = sum(len(session.turns) for session in talk.sessions)
            console.print(f"Feeding {counted(turns, 'turn')} of {counted(len(talk.sessions), 'session')} to one agent.")
            with Status("", console=console) as status:
                return await Trial(runtime, talk, told=lambda progress: tell(progress, console, status)).run(asked)


def tell(progress: Progress, console: Console, status: Status) -> None:
    """Show how far it is: a line that changes on a terminal, and a line for good for each session and question."""
    window = f"{progress.context_tokens:,} of {progress.window_tokens:,} tokens in the window, epoch {progress.epoch}"
    done = f"{progress.turns} of {progress.of_turns} turns"
    if progress.answered is not None:
        console.print("\n".join(answer_lines(progress.answered, console.width)))
    elif progress.session_done:
        console.print(f"session {progress.session:>2}: {done}, {window}")
    status.update(f"{done}, {window}" if progress.session is not None else f"asking; {window}")


def show(report: Report, console: Console) -> None:
    """Print what it came to."""
    # A person who wants no colour, or no terminal at all, gets letters that every place can show.
    plain = not console.is_terminal or console.no_color or bool(os.environ.get("NO_COLOR"))
    console.print()
    console.print("\n".join(window_plot(report, width=min(console.width - 10, 100), ascii_only=plain)))
    tables = {"In all": summary_table, "By kind of question": category_table, "Time per step": time_table}
    for title, table in tables.items():
        console.print(f"\n{title}")
        console.print(table(report))
