"""The embedded server: joined, shared, left, killed, revived."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from uuid import UUID

import pytest

from pagemind.errors import StoreBroken, StoreFolder, StoreFull, StoreUnavailable, StoreVersion
from pagemind.records import Agent
from pagemind.settings import Settings
from pagemind.store import agents, cluster
from pagemind.store.database import Database
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.store.home import SOCKET_NAME, SOCKET_PATH_LIMIT_BYTES, Home, socket_folder

pytestmark = pytest.mark.anyio

TENANT = UUID("00000000-0000-4000-8000-0000000000aa")
JOINER = """
import sys, time
from pathlib import Path
from pagemind.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.join()
print(server.pid, flush=True)
sys.stdin.readline()
server.leave()
"""


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A home whose server this module may kill."""
    folder = tmp_path_factory.mktemp("own")
    yield folder
    server = EmbeddedPostgres(folder)
    server.join()
    server.leave()
    assert server.pid is None


class Joiner:
    """Another process that joins the server of a home."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOINER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.server_pid = int(self.process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def test_two_processes_share_one_server_and_the_last_one_stops_it(own_home: Path) -> None:
    server = EmbeddedPostgres(own_home)
    server.join()
    other = Joiner(own_home)
    assert other.server_pid == server.pid
    server.leave()
    assert server.pid == other.server_pid
    other.leave()
    assert server.pid is None


def test_two_processes_may_start_at_once(own_home: Path) -> None:
    first, second = Joiner(own_home), Joiner(own_home)
    assert first.server_pid == second.server_pid
    first.leave()
    second.leave()
    assert EmbeddedPostgres(own_home).pid is None


def test_a_killed_user_leaves_the_server_to_the_next(own_home: Path) -> None:
    first = Joiner(own_home)
    first.kill()
    server = EmbeddedPostgres(own_home)
    assert server.pid == first.server_pid
    server.join()
    assert server.pid == first.server_pid
    server.leave()
    assert server.pid is None


async def test_what_was_committed_survives_a_killed_server(own_home: Path) -> None:
    database = await Database.open(Settings(home=own_home, tenant_id=TENANT))
    server = database.embedded
    assert server is not None
    async with database.transaction() as session:
        kept = await agents.add(session, Agent(tenant_id=TENANT, name="kept"))

    async def lose_the_server_before_the_commit() -> None:
        async with database.transaction() as session:
            await agents.add(session, Agent(tenant_id=TENANT, name="lost"))
            os.kill(server.pid or 0, signal.SIGKILL)
            await asyncio.sleep(0.3)

    with pytest.raises(StoreUnavailable):
        await lose_the_server_before_the_commit()
    with pytest.raises(StoreUnavailable):
        async with database.transaction() as session:
            await agents.all(session)
    await asyncio.gather(database.revive(), database.revive())
    async with database.transaction() as session:
        assert [agent.id for agent in await agents.all(session)] == [kept.id]
    await database.close()
    assert server.pid is None


def test_a_second_start_is_quick(own_home: Path) -> None:
    server = EmbeddedPostgres(own_home)
    server.join()
    server.leave()
    begun = time.perf_counter()
    server.join()
    took = time.perf_counter() - begun
    server.leave()
    assert took < 2.0, "meant to take less than half a second; the rest is for a busy machine"


def test_a_stale_process_id_of_another_program_is_not_taken_for_the_server(own_home: Path) -> None:
    server = EmbeddedPostgres(own_home)
    server.join()
    note = server.home.data / "postmaster.pid"
    old = note.read_text()
    server.leave()
    note.write_text(str(os.getpid()) + old[old.index("\n") :])
    assert server.pid is None
    server.join()
    assert server.pid not in (None, os.getpid())
    server.leave()


def test_a_server_whose_socket_was_removed_is_started_again(own_home: Path) -> None:
    server = EmbeddedPostgres(own_home)
    server.join()
    lost = server.pid
    (socket_folder(server.home) / SOCKET_NAME).unlink()
    server.revive()
    assert server.pid not in (None, lost)
    server.leave()


def test_nobody_else_may_enter_the_folders(own_home: Path) -> None:
    server = EmbeddedPostgres(own_home)
    server.join()
    for folder in (socket_folder(server.home), server.home.data, server.home.log.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (server.home.passwords_file, server.home.log, server.home.socket_note):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    server.leave()


def test_a_home_with_a_long_path_gets_a_short_socket_of_its_own(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30))
    server.join()
    folder = socket_folder(server.home)
    assert len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT_BYTES
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    server.leave()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(StoreFolder):
        server.join()
    folder.unlink()


def test_data_of_another_major_version_is_refused(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.home.data.mkdir()
    (server.home.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(StoreVersion, match="17"):
        server.join()


def test_a_half_made_data_folder_is_made_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    (server.home.folder / "postgres.new").mkdir()
    (server.home.folder / "postgres.new" / "PG_VERSION").write_text("1")
    server.join()
    assert (server.home.data / "PG_VERSION").read_text() == "18\n"
    server.leave()


def test_lost_passwords_are_named_as_the_cause(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.join()
    kept = server.home.passwords_file.rename(tmp_path / "kept")
    with pytest.raises(StoreFolder, match="passwords"):
        server.app_url()
    kept.rename(server.home.passwords_file)
    server.leave()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("FATAL:  could not write lock file: No space left on device", StoreFull),
        ("FATAL:  configuration file contains errors", StoreBroken),
        ("", StoreBroken),
    ],
)
def test_a_failed_start_says_why(tmp_path: Path, said: str, error: type[StoreUnavailable]) -> None:
    failure = cluster.start_failure(Home(tmp_path), said)
    assert type(failure) is error
    assert said in str(failure)


def test_a_home_that_cannot_be_made_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreFolder, match="PAGEMIND_HOME"):
        EmbeddedPostgres(tmp_path / "file" / "home")
