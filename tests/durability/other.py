"""Run by the tests: another process on the same home folder. It carries runs until it is killed, or chats, or follows."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from uuid import UUID

from pagemind.engine.follow import follow
from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.vectors import HashEmbedder


async def serve(runtime: Runtime) -> None:
    await asyncio.Event().wait()


async def chat(runtime: Runtime, count: str, *conversations: str) -> None:
    await asyncio.gather(*(runtime.ask(UUID(each), f"hello {n}") for n in range(int(count)) for each in conversations))


async def listen(runtime: Runtime, run_id: str, after_seq: str) -> None:
    async for seq, event in follow(runtime.kernel, UUID(run_id), int(after_seq)):
        print(seq, event.type, flush=True)


async def main(settings: str, job: str, *words: str) -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    jobs = {"serve": serve, "chat": chat, "listen": listen}
    opened = await Runtime.open(Settings(**json.loads(settings)), embedder=HashEmbedder(), work=job != "listen")
    async with opened as runtime:
        print("ready", flush=True)
        await jobs[job](runtime, *words)
    print("done", flush=True)


asyncio.run(main(*sys.argv[1:]))
