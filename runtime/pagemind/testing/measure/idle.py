"""A runtime that does nothing, to be looked at from outside: ``python -m pagemind.testing.measure.idle HOME [bare]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.vectors import HashEmbedder

READY = "ready"


async def idle(home: Path, *, bare: bool) -> None:
    """Open a runtime with a worker, say so, and wait for the end of standard input. ``bare``: without the embedder."""
    if bare:
        opened = Runtime.open(Settings(home=home, embedder="hash-8"), embedder=HashEmbedder())
    else:
        opened = Runtime.open(Settings(home=home))
    async with await opened as runtime:
        await runtime.kernel.embedder.embed(["What is my name?"], kind="query")
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(idle(Path(sys.argv[1]), bare=sys.argv[2:] == ["bare"]))
