"""The home folder's part that the embedded database uses: where things lie, and who may look."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pagemind.errors import StoreFolder, StoreFull

SOCKET_PATH_LIMIT_BYTES = 107
SOCKET_NAME = ".s.PGSQL.5432"
ROLES = ("postgres", "pagemind_owner", "pagemind_app")


@dataclass(frozen=True)
class Home:
    """Paths in the home folder. Nothing is made by looking at them."""

    folder: Path

    @property
    def data(self) -> Path:
        """The database's own folder."""
        return self.folder / "postgres"

    @property
    def lock(self) -> Path:
        """Held exclusively, for a moment, by who starts or stops the server."""
        return self.folder / "postgres.lock"

    @property
    def users(self) -> Path:
        """Held shared by every process that uses the server."""
        return self.folder / "postgres.users"

    @property
    def passwords_file(self) -> Path:
        """The roles' passwords as JSON, mode 0600."""
        return self.folder / "postgres.passwords"

    @property
    def socket_note(self) -> Path:
        """Names the folder of the socket."""
        return self.folder / "postgres.socket"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "logs" / "postgres.log"

    @property
    def ready_mark(self) -> Path:
        """Present when database, roles and extension are made; it lies among the data, so that it goes with them."""
        return self.data / "pagemind.ready"


def open_home(folder: Path) -> Home:
    """Make the home folder (0700) where it is missing; a folder that is already there keeps its permissions."""
    home = Home(folder.expanduser().resolve())
    with folder_errors(home):
        if not home.folder.is_dir():
            home.folder.parent.mkdir(parents=True, exist_ok=True)
            home.folder.mkdir(mode=0o700, exist_ok=True)
        home.log.parent.mkdir(mode=0o700, exist_ok=True)
    return home


@contextmanager
def folder_errors(home: Home) -> Generator[None]:
    """Raise what the file system refuses as ``StoreFull`` or ``StoreFolder``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(str(error)) from error
        advice = "set PAGEMIND_HOME to a folder that you can write to."
        raise StoreFolder(str(error), folder=home.folder, advice=advice) from error


def passwords(home: Home) -> dict[str, str]:
    """The roles' passwords, made at the first call and then always the same."""
    try:
        return json.loads(home.passwords_file.read_text())
    except FileNotFoundError:
        pass
    if home.data.exists():
        advice = f"put {home.passwords_file.name} back from a backup; the data cannot be opened without it."
        raise StoreFolder("its passwords file is missing", folder=home.folder, advice=advice)
    made = {role: secrets.token_urlsafe(24) for role in ROLES}
    write_private(home.passwords_file, json.dumps(made))
    return made


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def socket_folder(home: Home) -> Path:
    """Where the running server's socket is, as noted by who started it."""
    try:
        return Path(home.socket_note.read_text())
    except FileNotFoundError:
        return home.folder / "run"


def make_socket_folder(home: Home, owner: int) -> Path:
    """Make a 0700 folder for the socket, owned by the uid ``owner``, and note it in the home folder.

    It lies in the home folder, or, as a socket's path may have 107 bytes only, under ``XDG_RUNTIME_DIR`` or the temporary
    folder, named by the home folder's hash. A folder there that belongs to somebody else, or that others may enter, is
    refused.
    """
    folder = home.folder / "run"
    if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_LIMIT_BYTES:
        folder = short_socket_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and owner != 0 and folder.lstat().st_uid == 0:
        os.chown(folder, owner, -1, follow_symlinks=False)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or stat.S_IMODE(status.st_mode) != 0o700:
        evidence = f"owner {status.st_uid}, mode {stat.filemode(status.st_mode)}"
        raise StoreFolder(evidence, folder=folder, advice="remove it, or set PAGEMIND_HOME to a shorter path.")
    if not home.socket_note.is_file() or socket_folder(home) != folder:
        write_private(home.socket_note, str(folder))
    return folder


def short_socket_folder(home: Home) -> Path:
    """A short path of this home's own, outside of it."""
    name = "pagemind-" + hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for base in (runtime, tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the last resort; its owner is checked
        folder = Path(base) / name
        if base and Path(base).is_dir() and len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT_BYTES:
            return folder
    raise StoreFolder("its path is too long", folder=home.folder, advice="set PAGEMIND_HOME to a shorter path.")
