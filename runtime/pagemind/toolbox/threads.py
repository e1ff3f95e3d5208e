"""Synchronous tools, kept off the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable


async def in_thread(work: Callable[[], object]) -> object:
    """Run in a daemon thread of its own and give back the result, or raise what it raised.

    Not in the loop's pool: a tool that hangs would hold one of its few threads, and keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[object, BaseException | None]] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if not outcome.done():
            outcome.set_result((result, error))

    def run() -> None:
        result: object = None
        raised: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 -- carried over to the one who waits, and raised there
            raised = error
        # a tool that outlived the loop has nobody left to tell
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, raised)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="tool", daemon=True).start()
    result, error = await outcome
    if error is not None:
        raise error
    return result
