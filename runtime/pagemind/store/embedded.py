"""The embedded PostgreSQL of one home folder: any number of processes join it, the last one out stops it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from pagemind.errors import StoreBusy
from pagemind.store.bootstrap import DATABASE, EDITION, bootstrap
from pagemind.store.cluster import ensure_running, server_pid, stop
from pagemind.store.home import Home, folder_errors, open_home, passwords, socket_folder, write_private
from pagemind.store.urls import socket_url

LOCK_SECONDS = 630.0
"""Longer than a server's crash recovery may take."""


class EmbeddedPostgres:
    """This process' share in the server of a home folder. Its methods block: call them from a thread.

    Two locked files keep processes out of each other's way: ``postgres.lock`` is held for the moment of starting or
    stopping, ``postgres.users`` shared for as long as a process uses the server. The kernel lets both go when a process
    dies; the server then stays, and the next process joins it.
    """

    def __init__(self, folder: Path) -> None:
        self.home: Home = open_home(folder)
        self._user: int | None = None

    def join(self) -> None:
        """Start the server unless it runs, set it up unless it is, and count as its user. Raises ``StoreError``."""
        with folder_errors(self.home), self._starting_or_stopping():
            ensure_running(self.home)
            if not is_set_up(self.home):
                bootstrap(self.superuser_url(), passwords(self.home))
                write_private(self.home.ready_mark, EDITION)
            if self._user is None:
                self._user = open_lock(self.home.users)
                fcntl.flock(self._user, fcntl.LOCK_SH)

    def revive(self) -> None:
        """Start the server again if it died. Raises ``StoreError``."""
        self.join()

    def leave(self) -> None:
        """Stop using the server, and stop it if nobody else uses it."""
        if self._user is None:
            return
        with self._starting_or_stopping():
            user, self._user = self._user, None
            try:
                if lock_now(user, fcntl.LOCK_EX):
                    stop(self.home)
            finally:
                os.close(user)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return server_pid(self.home)

    def app_url(self) -> URL:
        """For the runtime: a role that row-level security holds."""
        return self._url("pagemind_app", DATABASE)

    def owner_url(self) -> URL:
        """For migrations: the role that owns the tables."""
        return self._url("pagemind_owner", DATABASE)

    def superuser_url(self) -> URL:
        """For the setting up of a fresh server only."""
        return self._url("postgres", "postgres")

    def _url(self, role: str, database: str) -> URL:
        folder = str(socket_folder(self.home))
        return socket_url(folder, role=role, password=passwords(self.home)[role], database=database)

    @contextmanager
    def _starting_or_stopping(self) -> Generator[None]:
        """Be the only one who starts or stops the server."""
        lock = open_lock(self.home.lock)
        try:
            until = time.monotonic() + LOCK_SECONDS
            while not lock_now(lock, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    raise StoreBusy(f"another process holds {self.home.lock}")
                time.sleep(0.01)
            yield
        finally:
            os.close(lock)


def is_set_up(home: Home) -> bool:
    """Whether this edition of the bootstrap has been through."""
    return home.ready_mark.exists() and home.ready_mark.read_text() == EDITION


def open_lock(path: Path) -> int:
    """Open a file to lock, made where it is missing. It is never removed, since others may hold it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock_now(descriptor: int, kind: int) -> bool:
    """Lock an open file at once, or say that somebody else holds it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
