"""Run by test_full_disk.py in a mount namespace of its own: fills a small disk under a running store, then makes room."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from pagemind.errors import StoreFull
from pagemind.records import Agent
from pagemind.settings import Settings
from pagemind.store import agents
from pagemind.store.database import Database


async def add(database: Database) -> None:
    async with database.transaction() as session:
        text = os.urandom(200_000).hex()
        await agents.add(session, Agent(tenant_id=database.tenant_id, name=str(uuid4()), instructions=text))


async def count(database: Database) -> int:
    async with database.transaction() as session:
        return len(await agents.all(session))


async def fill(database: Database) -> int:
    """Add agents until the disk is full; how many were accepted."""
    for accepted in range(10_000):
        try:
            await add(database)
        except StoreFull:
            return accepted
    raise AssertionError("the disk never filled")


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)


async def main(disk: Path) -> None:
    database = await Database.open(Settings(home=disk / "home"))
    accepted = await fill(database)
    await database.revive()
    assert await count(database) == accepted > 0
    make_room(disk)
    await add(database)
    assert await count(database) == accepted + 1
    await database.close()
    try:
        (disk / "fill").write_bytes(bytes(200_000_000))
    except OSError:
        print("full", flush=True)
    for home in ("home", "fresh"):
        try:
            await Database.open(Settings(home=disk / home))
        except StoreFull as error:
            print(type(error).__name__, flush=True)


asyncio.run(main(Path(sys.argv[1])))
