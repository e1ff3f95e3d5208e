"""The measuring commands: ``crash``, ``demo``, ``bench`` and its kin. What they run is loaded when they are called."""

from __future__ import annotations

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pagemind.cli.launch import launch
from pagemind.cli.options import settings_of

Figures = Annotated[Path | None, typer.Option(help="Also write the figures to this file, as one JSON object.")]


class Only(StrEnum):
    """The parts of `bench-retrieval`."""

    recall = "recall"
    speed = "speed"


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command(rich_help_panel="Measure")(bench)
    app.command(rich_help_panel="Measure")(bench_embedder)
    app.command("bench-faults", rich_help_panel="Measure")(bench_faults)
    app.command("bench-retrieval", rich_help_panel="Measure")(bench_retrieval)
    app.command("bench-server", rich_help_panel="Measure")(bench_server)
    app.command("serve-stub", hidden=True)(serve_stub)
    app.command("bench-prefix", rich_help_panel="Measure")(bench_prefix)
    app.command("bench-staleness", rich_help_panel="Measure")(bench_staleness)
    app.command(rich_help_panel="Measure")(crash)
    app.command(rich_help_panel="Measure")(demo)


def crash(
    trials: Annotated[int, typer.Option(help="Trials: every point alone, then pairs of points.", min=0, max=1000)] = 200,
    first_visits: Annotated[bool, typer.Option(help="Alone, try each point at its first visit only.")] = False,
    seed: Annotated[int, typer.Option(help="Which pairs are drawn.")] = 0,
    figures: Figures = None,
) -> None:
    """Kill a worker at every fault point, singly and in pairs, let the next one recover, and check what must hold.

    Each trial runs five tasks with memory edits, archived passages, outside tools and compactions under a fresh tenant. A
    variant that stores a step in two transactions runs as a control: it must be caught. Exits 1 if anything was broken.
    """
    module = importlib.import_module("pagemind.cli.crash")
    raise typer.Exit(module.crash(trials=trials, first_visits=first_visits, seed=seed, figures=figures))


def demo(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="A conversation file of the LoCoMo data set.", metavar="FILE")] = None,
    sessions: Annotated[int, typer.Option(help="How many of its sessions to feed.", min=1, max=1000)] = 10,
    questions: Annotated[int, typer.Option(help="How many of its questions to ask.", min=0, max=1000)] = 20,
    seed: Annotated[int, typer.Option(help="Which questions are drawn.")] = 0,
    figures: Figures = None,
) -> None:
    """Page a long conversation through a window of 8k tokens, then ask about it.

    Every turn goes the real way, in a home folder that is gone afterwards; the reasoner is the configured one, or the demo
    reasoner. Shows for each question what the agent's own searches found, and the window over time. Skips without the file.
    """
    module = importlib.import_module("pagemind.cli.demo")
    arguments = {"data": data, "sessions": sessions, "questions": questions, "seed": seed, "figures": figures}
    raise typer.Exit(module.demo(settings_of(context), **arguments))


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="As little as shows that it works.")] = False,
    figures: Figures = None,
) -> None:
    """Measure the runtime's own time per step, round trips, start, memory, and the embedder.

    In home folders that are gone afterwards. The steps run on the real store with a reasoner and an embedder that take no
    time, so that what is left is the runtime. Where sentence-transformers is installed, the embedder is compared with it.
    """
    module = importlib.import_module("pagemind.cli.bench")
    raise typer.Exit(module.bench(quick=quick, figures=figures))


def bench_retrieval(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="A folder of conversations of the LoCoMo data set, or one file.", metavar="FOLDER")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="As little as shows that it works.")] = False,
    sizes: Annotated[str | None, typer.Option(help="Passages of the archives, such as 1000,100000.", metavar="N,N")] = None,
    only: Annotated[Only | None, typer.Option(help="One part of it.")] = None,
    figures: Figures = None,
) -> None:
    """Measure what searches find (evidence recall on long conversations, with baselines and without each ingredient), how many
    of the nearest passages, how fast in archives up to a million, how fast passages come in, and what they take.

    In a home folder that is gone afterwards; only the vectors of 100,000 generated texts are kept for the next time, under
    cache/bench-retrieval in the configured one. Half an hour and more on two cores. Without conversations that part is skipped.
    """
    module = importlib.import_module("pagemind.cli.bench_retrieval")
    arguments = {"data": data, "quick": quick, "sizes": sizes, "only": only and only.value, "figures": figures}
    raise typer.Exit(module.bench_retrieval(settings_of(context), **arguments))


def bench_server(
    quick: Annotated[bool, typer.Option("--quick", help="As little as shows that it works.")] = False,
    memory_runs: Annotated[int | None, typer.Option(help="Runs over which memory is to stay flat (20,000).", min=64)] = None,
    figures: Figures = None,
) -> None:
    """Measure the server on a real socket: messages, agents at once, streams, passages, and what a run costs.

    A server process of its own in a home folder that is gone afterwards, with a reasoner and an embedder that take no time; the
    client is a lean one in this process. Each figure is the median of three.
    """
    module = importlib.import_module("pagemind.cli.bench_server")
    raise typer.Exit(module.bench_server(quick=quick, memory_runs=memory_runs, figures=figures))


def serve_stub(context: typer.Context) -> None:
    """Serve with a reasoner and an embedder that take no time, for `pagemind bench-server`."""
    launch(context, "serve_stub:serve_stub")


def bench_prefix(
    context: typer.Context,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="A vLLM that runs already; left out: one is started with a tiny model.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="As little as shows that it works.")] = False,
    figures: Figures = None,
) -> None:
    """Measure on a real vLLM how much of each prompt its prefix cache serves, by its own counters.

    A long conversation with edits of memory goes through the whole runtime, under its own policy and under worse ones; then
    agents of one definition, a turn behind background calls, and the runtime's own time. Skips without a vLLM.
    """
    module = importlib.import_module("pagemind.cli.bench_prefix")
    raise typer.Exit(module.bench_prefix(settings_of(context), endpoint=endpoint, quick=quick, figures=figures))


def bench_staleness(
    context: typer.Context,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help="Base URL of an OpenAI-compatible server.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model; left out: the first that it serves.")] = None,
    questions: Annotated[int | None, typer.Option(help="Only so many of the questions.", min=1, max=1000)] = None,
    filler: Annotated[int, typer.Option(help="Turns about other things before each question.", min=0, max=20)] = 2,
    figures: Figures = None,
) -> None:
    """Ask a real model about facts that were edited after its blocks were rendered, under write-back and write-through.

    Prints how often it answers with the newest fact and how often with the superseded one.
    """
    module = importlib.import_module("pagemind.cli.bench_staleness")
    arguments = {"endpoint": endpoint, "model": model, "questions": questions, "filler": filler, "figures": figures}
    raise typer.Exit(module.bench_staleness(settings_of(context), **arguments))


def bench_embedder(figures: Figures = None) -> None:
    """Measure the local embedder at BGE-M3's shape with random weights: texts/s, share of the GPU's peak, a query's latency.

    Without a GPU it says so and measures a small shape on the CPU.
    """
    module = importlib.import_module("pagemind.cli.bench_embedder")
    raise typer.Exit(module.bench_embedder(figures=figures))


def bench_faults(
    quick: Annotated[bool, typer.Option("--quick", help="As little as shows that it works.")] = False,
    seed: Annotated[int, typer.Option(help="Which facts are told, and which are asked for.")] = 0,
    keep_tokens: Annotated[int | None, typer.Option(min=1, max=100_000, help="What is tried beside 0.")] = None,
    figures: Figures = None,
) -> None:
    """Measure what `memory.keep_tokens` does to page faults, with popular facts and with equally popular ones.

    In a home folder that is gone afterwards: many facts are told once, then asked for again and again, through the whole
    runtime, with a reasoner that answers from the prompt where it can, and searches where it cannot. Some minutes.
    """
    module = importlib.import_module("pagemind.cli.bench_faults")
    raise typer.Exit(module.bench_faults(quick=quick, seed=seed, keep_tokens=keep_tokens, figures=figures))
