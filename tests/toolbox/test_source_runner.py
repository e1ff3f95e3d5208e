"""Tools that came as source run in a process of their own, within their limits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pagemind.errors import ToolSourceOff
from pagemind.records import Json
from pagemind.toolbox.source_runner import OUTPUT_LIMIT_BYTES, SourceOutcome, SourceRunner

pytestmark = pytest.mark.anyio


async def called(
    source: str, arguments: Json | None = None, *, name: str = "", seconds: float = 20, **secrets: str
) -> SourceOutcome:
    return await SourceRunner(allowed=True).run(source, name, arguments or {}, secrets=secrets, seconds=seconds)


async def test_the_function_gets_its_arguments_and_what_it_prints_is_told() -> None:
    outcome = await called("def add(a: int, b: int = 2) -> int:\n    print('adding')\n    return a + b\n", {"a": 40})
    assert outcome == SourceOutcome(True, 42, stdout="adding\n")


async def test_arguments_are_data_and_never_code() -> None:
    nasty = '\'); import os; os._exit(3) #\n"""\\'
    outcome = await called("def echo(text: str) -> str:\n    return text\n", {"text": nasty})
    assert outcome.value == nasty


async def test_an_async_function_is_awaited() -> None:
    outcome = await called(
        "import asyncio\nasync def slow(x: int):\n    await asyncio.sleep(0)\n    return {'x': [x, None]}\n", {"x": 1}
    )
    assert outcome.value == {"x": [1, None]}


async def test_the_named_function_goes_before_the_last_one() -> None:
    source = "def first():\n    return 1\ndef second():\n    return 2\ndef _third():\n    return 3\n"
    assert (await called(source, name="first")).value == 1
    assert (await called(source, name="elsewhere")).value == 2


async def test_what_json_cannot_hold_comes_back_as_text() -> None:
    source = (
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n"
        "def give():\n    return {'p': P(1), 's': {2}, 'c': 1j}\n"
    )
    assert (await called(source)).value == {"p": {"x": 1}, "s": [2], "c": "1j"}
    assert (await called("def give():\n    return float('nan')\n")).value == "nan"


async def test_a_pydantic_argument_is_made_from_its_json() -> None:
    source = (
        "from pydantic import BaseModel\nclass Item(BaseModel):\n    n: int\n"
        "def total(items: list[Item], extra: Item):\n    return sum(each.n for each in items) + extra.n\n"
    )
    assert (await called(source, {"items": [{"n": 1}, {"n": 2}], "extra": {"n": 4}})).value == 7


async def test_what_it_raises_is_told_with_its_own_lines() -> None:
    outcome = await called("def fail():\n    raise ValueError('no such day')\n")
    assert not outcome.ok
    assert outcome.error == "ValueError: no such day"
    assert outcome.stderr.splitlines()[1:] == [
        '  File "<tool>", line 2, in fail',
        "    raise ValueError('no such day')",
        "ValueError: no such day",
    ]


async def test_a_source_that_fails_to_load_is_an_outcome() -> None:
    assert (await called("import nothing_of_that_name\ndef f():\n    return 1\n")).error.startswith("ModuleNotFoundError")
    assert (await called("def f(:\n")).error.startswith("SyntaxError")
    assert (await called("import sys\ndef f():\n    sys.exit(3)\n")).error == "SystemExit: 3"
    assert (
        await called("import os\ndef f():\n    os._exit(3)\n")
    ).error == "The tool's process ended with status 3 before it had a result"


async def test_it_sees_the_secrets_and_nothing_else_of_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEMIND_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    outcome = await called("import os\ndef show():\n    return dict(os.environ)\n", TOKEN="abc")
    assert set(outcome.value) - {"LC_CTYPE"} == {"PATH", "LANG", "HOME", "TMPDIR", "TOKEN"}
    assert outcome.value["TOKEN"] == "abc"


async def test_its_folder_is_empty_and_gone_afterwards() -> None:
    outcome = await called("import os\ndef show():\n    open('x', 'w').close()\n    return [os.getcwd(), os.listdir()]\n")
    folder, entries = outcome.value
    assert entries == ["x"]
    assert await within_seconds(lambda: not os.path.lexists(folder))


async def test_past_its_time_it_is_killed_with_the_processes_it_started() -> None:
    source = (
        "import subprocess, sys, time\ndef hang():\n    child = subprocess.Popen(['sleep', '60'])\n"
        "    print(child.pid, flush=True)\n    time.sleep(60)\n"
    )
    started = time.monotonic()
    outcome = await called(source, seconds=1.5)
    assert time.monotonic() - started < 10
    assert outcome.error == "TimeoutError: the tool did not finish within 1.5 s"
    assert await gone(int(outcome.stdout))


async def test_a_process_left_behind_ends_with_the_call() -> None:
    source = "import subprocess\ndef leave():\n    return subprocess.Popen(['sleep', '60']).pid\n"
    assert await gone((await called(source)).value)


async def test_endless_output_is_cut_and_does_not_stop_it() -> None:
    outcome = await called("def shout():\n    print('x' * 5_000_000)\n    return 'done'\n")
    assert outcome.value == "done"
    assert len(outcome.stdout) == OUTPUT_LIMIT_BYTES


async def test_more_memory_than_allowed_is_refused_to_it() -> None:
    assert (await called("def eat():\n    return len(bytearray(8 << 30))\n")).error.startswith("MemoryError")


async def test_a_result_that_is_too_long_is_an_error() -> None:
    assert "more than 2000000 bytes" in (await called("def give():\n    return 'x' * 3_000_000\n")).error


async def test_a_large_file_cannot_be_written() -> None:
    outcome = await called("def fill():\n    with open('f', 'wb') as f:\n        f.truncate(1 << 30)\n")
    assert not outcome.ok


async def test_where_the_operator_does_not_allow_it_nothing_runs() -> None:
    with pytest.raises(ToolSourceOff):
        await SourceRunner(allowed=False).run("def f():\n    return 1\n", "f", {}, seconds=5)


async def test_a_caller_that_gives_up_leaves_no_process(tmp_path: Path) -> None:
    source = "import os, time\ndef hang(path: str):\n    open(path, 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    path = tmp_path / "pid"
    task = asyncio.create_task(called(source, {"path": str(path)}))
    assert await within_seconds(lambda: path.exists() and bool(path.read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int(path.read_text()))


async def gone(pid: int) -> bool:
    """Whether the process ends within a few seconds; one that waits to be reaped has ended."""
    status = Path(f"/proc/{pid}/stat")
    return await within_seconds(lambda: not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z")


async def within_seconds(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False
