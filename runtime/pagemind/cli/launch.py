"""Starts the implementation of a command: loads its module at the moment of need and runs it with the settings."""

import asyncio
import importlib
import signal
from collections.abc import Awaitable, Callable
from typing import Any, cast

import typer

from pagemind.cli.logs import log_to
from pagemind.cli.options import settings_of

Command = Callable[..., Awaitable[int | None]]


def launch(context: typer.Context, place: str, **arguments: Any) -> None:
    """Run the coroutine function at ``place`` (``module:function`` in ``pagemind.cli``), then leave with what it returns.

    It runs on the event loop that the module's ``LOOP_FACTORY`` makes, if it has one.
    Its module is imported here and not at the top: it brings SQLAlchemy, rich or prompt_toolkit along, which neither
    ``--help`` nor shell completion should wait for.
    """
    settings = settings_of(context)
    log_to(settings.home)
    module, _, function = place.partition(":")
    implementation = importlib.import_module(f"pagemind.cli.{module}")
    command = cast("Command", getattr(implementation, function))

    with asyncio.Runner(loop_factory=getattr(implementation, "LOOP_FACTORY", None)) as runner:
        raise typer.Exit(runner.run(until_told_to_stop(command(settings, **arguments))) or 0)


async def until_told_to_stop(work: Awaitable[int | None]) -> int | None:
    """The work's exit status; 128 + the signal's number where SIGTERM or SIGHUP ended it.

    A closed terminal must not leave the embedded server behind: the work is cancelled, and lets go of it on its way out.
    """
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(sign: signal.Signals) -> None:
        received.append(sign)
        task.cancel()

    for sign in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(sign, stop, sign)
    try:
        return await task
    except (asyncio.CancelledError, OSError):
        # OSError: the terminal that the last words were for is gone.
        if not received:
            raise
        return 128 + received[0]
