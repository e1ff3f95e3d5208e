"""Run by test_no_database.py in a mount namespace of its own: fills a small disk under a run, then makes room."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from pagemind.errors import StoreFull
from pagemind.records import Prompt, RunState
from pagemind.settings import Settings
from pagemind.testing import Bench, bench
from pagemind.testing.scripted import Line
from pagemind.testing.vectors import HashEmbedder

LONG = os.urandom(90_000).hex()


def fill(disk: Path) -> None:
    """Leave no room at all, once."""
    if (disk / "ballast").exists():
        return
    try:
        with (disk / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(bytes(65_536))
    except OSError:
        return


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)


async def assert_refused(chat: Bench) -> None:
    """Before long at least: pages that are there already may have room for a few."""
    for _ in range(400):
        try:
            await chat.runtime.accept(chat.conversation.id, LONG[:30_000])
        except StoreFull:
            return
    raise AssertionError("accepted on a full disk")


async def main(disk: Path) -> None:
    def fill_and_reply(prompt: Prompt) -> Line:
        fill(disk)
        return LONG

    async with bench(Settings(home=disk / "home", reasoner_url="demo"), embedder=HashEmbedder()) as chat:
        chat.model.will(*[fill_and_reply] * 50)
        run = await chat.runtime.accept(chat.conversation.id, "Go on.")
        await asyncio.sleep(3)
        await assert_refused(chat)
        tries = len(chat.model.prompts)
        assert (await chat.runtime.run(run.id)).state == RunState.running
        assert 1 < tries < 6, tries
        make_room(disk)
        async with asyncio.timeout(20):
            async for _ in chat.runtime.follow(run.id):
                pass
        assert (await chat.runtime.run(run.id)).stop_reason == "end_turn"
        history = await chat.runtime.history(chat.conversation.id)
        assert [m.content for m in history[:2]] == ["Go on.", LONG]


asyncio.run(main(Path(sys.argv[1])))
