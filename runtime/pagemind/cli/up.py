"""``pagemind up``: serve a model on this machine, in the foreground."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pagemind.cli.output import printer
from pagemind.cli.starting import say_local
from pagemind.cli.text import safe_text
from pagemind.cli.views import table
from pagemind.errors import PagemindError, UsageError
from pagemind.model.local.command import command_line
from pagemind.model.local.fit import in_gib
from pagemind.model.local.opening import LocalModel, launch, share
from pagemind.model.local.plan import Plan, plan_launch
from pagemind.model.local.server import local_log
from pagemind.settings import Settings


class NoModelNamed(UsageError):
    """No model is named. Fix: `pagemind up --model Qwen/Qwen3-8B`, or a folder; or `model` under `[model.local]` in
    pagemind.toml."""

    code = "no_model_named"


async def up(
    settings: Settings,
    *,
    model: str | None,
    revision: str | None,
    port: int | None,
    window_tokens: int | None,
    gpu: bool | None,
    dry_run: bool,
) -> int:
    """Show the fit and the command, start the server, watch it until interrupted; the exit status."""
    given = {"model": model, "revision": revision, "port": port, "window_tokens": window_tokens, "gpu": gpu}
    settings = with_local(settings, given)
    if settings.model.local.model is None:
        raise NoModelNamed
    plan = await asyncio.to_thread(plan_launch, settings)
    printer().print(fit_view(plan))
    printer().print(command_view(command_line(plan.launch)), soft_wrap=True)
    return 0 if dry_run else await serve(settings, plan)


def with_local(settings: Settings, given: dict[str, str | int | bool | None]) -> Settings:
    """The settings with these of the local model's, where they are given."""
    known = {name: value for name, value in given.items() if value is not None}
    local = settings.model.local.model_copy(update=known)
    return settings.model_copy(update={"model": settings.model.model_copy(update={"local": local})})


async def serve(settings: Settings, plan: Plan) -> int:
    """Run the server until it is interrupted or fails for good."""
    if running := await share(settings, say_local):
        printer().print(Text(f"Process {running.state.pid} serves it already, at {running.state.url}."))
        return 0
    say_local(f"its own words go to {local_log(settings.home)}")
    opened = await launch(settings, plan, say_local)
    try:
        printer().print(ready_view(opened, settings.home))
        await until_interrupted(opened)
    finally:
        say_local("stopping")
        await opened.close()
    say_local("stopped")
    return 0


async def until_interrupted(opened: LocalModel) -> None:
    """Return at Ctrl-C; raise where the server fails for good."""
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    waiting: list[asyncio.Task[Any]] = [asyncio.create_task(interrupted.wait())]
    if opened.server is not None:
        waiting.append(asyncio.create_task(opened.server.watch()))
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waiting:
            task.cancel()
            with suppress(asyncio.CancelledError, PagemindError):
                await task


def fit_view(plan: Plan) -> RenderableType:
    """How the model fits, as a table."""
    launch, fits = plan.launch, plan.fit
    where = plan.hardware.name if launch.gpu else f"{plan.hardware.name}, without a GPU"
    rows = [
        ("model", safe_text(launch.served_name)),
        ("family", f"{launch.family.name}: tool parser {launch.family.tool_parser}, {thinking(plan)}, {template(plan)}"),
        ("served by", f"vLLM {plan.build.version} on {safe_text(where)}"),
        ("memory for it", in_gib(fits.memory_bytes)),
        ("weights", in_gib(fits.weight_bytes)),
        ("KV cache", in_gib(fits.cache_gib * 2**30 if not launch.gpu else fits.cache_bytes)),
        ("KV bytes per token", f"{fits.kv.sequence_bytes(fits.window_tokens) // fits.window_tokens:,}"),
        ("KV tokens", f"{fits.cache_tokens:,}"),
        ("window", f"{fits.window_tokens:,} tokens"),
        ("live agents that fit", f"{fits.live_agents:,} with full windows"),
        ("calls at a time", f"{fits.slots}"),
    ]
    return table("the fit", "", rows=[(Text(name), Text(words)) for name, words in rows])


def thinking(plan: Plan) -> str:
    """The reasoning parser in words."""
    parser = plan.launch.reasoning_parser
    return f"reasoning parser {parser}" if parser else "no reasoning parser"


def template(plan: Plan) -> str:
    """The chat template in words."""
    file = plan.launch.template
    return f"our chat template {file.name}" if file else "its own chat template"


def command_view(command: Sequence[str]) -> RenderableType:
    """The command line as one could type it."""
    return Text.assemble(("\nthe command\n", "bold"), safe_text(shlex.join(command)), "\n")


def ready_view(opened: LocalModel, home: Path) -> RenderableType:
    """Where it is and how to talk to it."""
    return Text(
        f"\nServing {safe_text(opened.state.served_name)} at {opened.state.url}\n"
        "Talk to it: `pagemind chat` in another terminal finds it, as long as it has the same home folder.\n"
        f"Other clients need the API key in {home / 'local-model.key'}. Ctrl-C stops it.\n"
    )
