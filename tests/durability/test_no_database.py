"""A database that is down, or whose disk is full: nothing is accepted, nothing accepted is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pagemind.errors import StoreUnavailable
from pagemind.settings import Settings
from pagemind.testing import bench
from pagemind.testing.vectors import HashEmbedder

from .world import kept_time, kill_database

pytestmark = pytest.mark.anyio

SCRIPT = Path(__file__).parent / "small_disk.py"
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


async def test_while_the_database_is_down_nothing_is_accepted_and_then_it_goes_on(own_settings: Settings) -> None:
    version = own_settings.home / "postgres" / "PG_VERSION"
    async with bench(own_settings, embedder=HashEmbedder()) as chat:
        chat.model.will("Hello.", "Hello again.")
        await chat.ask("Hello!")
        found = version.read_text()
        try:
            version.write_text("1\n")  # so that it cannot be started again
            kill_database(chat.runtime)
            for _ in range(8):
                with pytest.raises(StoreUnavailable):
                    await chat.runtime.accept(chat.conversation.id, "Lost?")
                await asyncio.sleep(0.2)
        finally:
            version.write_text(found)
        with kept_time(10.0):
            while True:
                try:
                    assert await chat.ask("Hello again!") == "Hello again."
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        said = [m.content for m in await chat.runtime.history(chat.conversation.id)]
        assert said == ["Hello!", "Hello.", "Hello again!", "Hello again."]


def test_runs_on_a_full_disk_wait_for_room_and_are_finished_then(tmp_path: Path) -> None:
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs `unshare` and user namespaces to make a small disk")
    mount = f'mount -t tmpfs -o size=72m,mode=700 tmpfs "{tmp_path}" && exec "$@"'
    command = [*OWN_MOUNTS, "sh", "-c", mount, "sh", sys.executable, str(SCRIPT), str(tmp_path)]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
    assert finished.returncode == 0, finished.stderr
