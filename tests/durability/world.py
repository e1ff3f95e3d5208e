"""What the tests of durability share: other processes, waiting, and what a history must look like."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pagemind.engine.runtime import Runtime
from pagemind.records import Message, Role
from pagemind.settings import Settings

SCRIPT = Path(__file__).parent / "other.py"
MOST_SECONDS = 30.0


class Other:
    """Another process on the home folder of ``settings``; see other.py for what it can do."""

    def __init__(self, settings: Settings, log: Path, *job: str) -> None:
        self.log = log
        given = settings.model_dump_json(exclude_none=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), given, *job], stdout=subprocess.PIPE, stderr=errors, text=True
            )

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(MOST_SECONDS):
            return (await asyncio.to_thread(self.process.stdout.readline)).strip()

    async def ready(self) -> None:
        assert await self.line() == "ready", self.log.read_text()

    async def done(self) -> list[str]:
        said: list[str] = []
        while (line := await self.line()) != "done":
            assert line, self.log.read_text()
            said.append(line)
        return said

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


StartOther = Callable[..., Other]


@contextmanager
def kept_time(seconds: float) -> Generator[None]:
    """Fail if the block takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


async def until(condition: Callable[[], object], seconds: float = MOST_SECONDS) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it looks at other processes, which set no event here
            await asyncio.sleep(0.01)


def kill_database(runtime: Runtime) -> None:
    assert runtime.kernel.database.embedded is not None
    pid = runtime.kernel.database.embedded.pid
    assert pid is not None
    children = Path(f"/proc/{pid}/task/{pid}/children")
    backends = children.read_text().split() if children.exists() else []
    os.kill(pid, signal.SIGKILL)
    # A backend that has not noticed yet would still store what it is sent, and rightly so: it is kept.
    while any(alive(Path(f"/proc/{backend}/stat")) for backend in backends):
        time.sleep(0.005)


def alive(stat: Path) -> bool:
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def assert_well_formed(history: Sequence[Message]) -> None:
    """Places without a gap, and every call with exactly one return before anything else is said."""
    assert [message.seq for message in history] == list(range(1, len(history) + 1))
    waiting: list[str] = []
    for message in history:
        if message.role == Role.tool:
            assert message.call_id == waiting.pop(0)
        else:
            assert not waiting
        waiting += [call["id"] for call in message.calls or ()]
    assert not waiting


def assert_linear(history: Sequence[Message]) -> list[UUID]:
    """The messages of a run stand together; the runs in their order."""
    order = [message.run_id for message in history if message.run_id]
    runs = list(dict.fromkeys(order))
    assert order == [run for run in runs for _ in range(order.count(run))]
    return runs


TOOLS = '''
import time
from pathlib import Path
from pagemind.toolbox.registry import tool

LOG, GO = Path({log!r}), Path({go!r})

def write(line):
    with LOG.open("a") as file:
        file.write(line + "\\n")
    while not GO.exists():
        time.sleep(0.01)

@tool
def ring() -> str:
    """Ring the bell."""
    write("ring")
    return "It rang."

@tool(effect="idempotent")
def post(call_key: str) -> str:
    """Post the letter."""
    write("post " + call_key)
    return "Posted."
'''


class Bell:
    """A tool file in a home folder: its tools write into a log, then wait until they are let go."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.log, self.go, self.file = folder / "rung", folder / "go", home / "tools" / "bell.py"
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(TOOLS.format(log=str(self.log), go=str(self.go)))

    @property
    def rung(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def hold(self) -> None:
        self.go.unlink(missing_ok=True)

    def let_go(self) -> None:
        self.go.touch()

    def remove(self) -> None:
        self.let_go()
        self.file.unlink()
