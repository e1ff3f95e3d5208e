"""The supervisor against a server that behaves badly: real processes, real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pagemind.engine.runtime import Runtime
from pagemind.errors import LocalModelDied, LocalModelNotReady, LocalModelOther, LocalModelPort
from pagemind.model.discover import find_reasoner
from pagemind.model.local.command import HOST, command_line
from pagemind.model.local.joining import local_address
from pagemind.model.local.opening import LocalModel, open_local
from pagemind.model.local.plan import plan_launch
from pagemind.model.local.server import Patience, local_log
from pagemind.model.local.state import ServerState, is_owned, running_server, server_key, write_state
from pagemind.settings import Settings
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import HashEmbedder

from .behaving import MakeSettings, command_of, gone, is_alive, server_pids, until

pytestmark = pytest.mark.anyio

QUICK = Patience(
    ready_seconds=20.0,
    poll_seconds=0.05,
    port_seconds=1.0,
    grace_seconds=3.0,
    first_pause_seconds=0.05,
    longest_pause_seconds=0.1,
    deaths=3,
    call_attempts=2,
)
OWNER = Path(__file__).with_name("owner.py")


@asynccontextmanager
async def opened(settings: Settings, heard: list[str] | None = None) -> AsyncGenerator[LocalModel]:
    """The server while it runs."""
    words = [] if heard is None else heard
    local = await open_local(settings, words.append, patience=QUICK)
    assert local is not None
    try:
        yield local
    finally:
        await local.close()


async def test_it_is_open_when_a_tool_call_works_and_gone_when_it_is_closed(local: MakeSettings) -> None:
    settings, heard = local("well"), list[str]()
    async with opened(settings, heard) as server:
        assert heard[-1] == "ready: it calls tools"
        assert "starting the engine" in heard
        assert running_server(settings.home) == replace(server.state, ready=True)
        assert server.state.pid == os.getpid()
        [pid] = server_pids(settings)
        assert is_alive(pid)
    assert not is_alive(pid)
    assert running_server(settings.home) is None
    assert not is_owned(settings.home)


async def test_the_key_is_the_owners_alone_and_stands_in_no_command_and_no_log(local: MakeSettings) -> None:
    settings = local("well")
    async with opened(settings):
        key = server_key(settings.home).get_secret_value()
        [pid] = server_pids(settings)
        assert len(key) >= 32
        assert key not in " ".join(command_line(plan_launch(settings).launch))
        assert str(settings.model.local.port) in command_of(pid)
        assert key not in command_of(pid)
    for name in ("local-model.key", "local-model.lock", "logs/vllm.log"):
        assert stat.S_IMODE((settings.home / name).stat().st_mode) == 0o600
    assert key not in local_log(settings.home).read_text()


async def test_a_reasoner_without_a_url_is_the_home_folders_own_server(local: MakeSettings) -> None:
    settings = local("well")
    unconfigured = Settings(home=settings.home)
    async with opened(settings) as server:
        for asked in (settings, unconfigured):
            reasoner = await find_reasoner(asked, ports=())
            assert reasoner.name == f"tiny at {HOST}:{settings.model.local.port}"
            assert reasoner.window_tokens == 8192
            await reasoner.close()
        assert server.state.url == f"http://{HOST}:{settings.model.local.port}/v1"
    assert local_address(unconfigured) is None


async def test_a_server_that_dies_at_once_again_and_again_ends_with_its_last_words(local: MakeSettings) -> None:
    settings, heard = local("dies-at-start"), list[str]()
    with pytest.raises(LocalModelDied) as died:
        async with opened(settings, heard):
            pass
    assert "there is no such layer" in died.value.evidence
    assert "died 3 times" in died.value.cause
    assert str(local_log(settings.home)) in died.value.fix
    assert heard.count("starting the engine") == 3
    assert [words for words in heard if "again" in words] == [
        "it ended with status 3; starting it again in 0.05 s",
        "it ended with status 3; starting it again in 0.1 s",
    ]
    assert not is_owned(settings.home)


async def test_a_server_that_dies_later_is_started_again(local: MakeSettings) -> None:
    settings, heard = local("dies-once"), list[str]()
    async with opened(settings, heard) as server:
        assert await until(lambda: heard.count("ready: it calls tools") == 2)
        first, second = server_pids(settings)
        assert not is_alive(first)
        assert is_alive(second)
        assert server.server is not None
        assert server.server.server_pid == second
        assert server.server.state.ready


async def test_a_killed_server_is_started_again(local: MakeSettings) -> None:
    settings, heard = local("well"), list[str]()
    async with opened(settings, heard):
        os.kill(server_pids(settings)[0], signal.SIGKILL)
        assert await until(lambda: heard.count("ready: it calls tools") == 2)
        assert "it ended with signal 9; starting it again in 0.05 s" in heard


@pytest.mark.parametrize(
    ("behaviour", "why", "seconds"),
    [
        ("never-ready", "it did not answer", 3.0),
        ("never-calls", "it was told to call a tool and called none", 20.0),
        ("wrong-model", "The model tiny does not exist.", 20.0),
    ],
)
async def test_a_server_that_never_calls_a_tool_is_given_up_with_the_reason(
    local: MakeSettings, behaviour: str, why: str, seconds: float
) -> None:
    settings = local(behaviour)
    with pytest.raises(LocalModelNotReady) as refused:
        await open_local(settings, lambda words: None, patience=replace(QUICK, ready_seconds=seconds))
    assert why in refused.value.evidence
    assert await gone(server_pids(settings))


async def test_a_stubborn_server_and_its_children_are_killed(local: MakeSettings) -> None:
    settings = local("stubborn")
    server = await open_local(settings, lambda words: None, patience=replace(QUICK, grace_seconds=0.3))
    assert server is not None
    pids = server_pids(settings)
    assert len(pids) == 2
    assert all(is_alive(pid) for pid in pids)
    await server.close()
    assert await gone(pids)


async def test_two_starters_share_one_server(local: MakeSettings) -> None:
    settings, heard = local("well"), list[str]()
    both = [open_local(settings, heard.append, patience=QUICK) for _ in range(2)]
    one, other = [found for found in await asyncio.gather(*both) if found]
    assert [one.server is None, other.server is None].count(True) == 1
    assert one.state.url == other.state.url
    assert len(server_pids(settings)) == 1
    assert any(words.startswith("waiting for the local model server") for words in heard)
    for found in (one, other):
        await found.close()
    assert await gone(server_pids(settings))


async def test_another_model_than_the_running_one_is_refused(local: MakeSettings, tmp_path: Path) -> None:
    settings = local("well")
    section = settings.model.local.model_copy(update={"model": "somebody/another"})
    wanted = settings.model_copy(update={"model": settings.model.model_copy(update={"local": section})})
    async with opened(settings):
        with pytest.raises(LocalModelOther) as refused:
            await open_local(wanted, lambda words: None, patience=QUICK)
    assert f"pid {os.getpid()}" in refused.value.fix


async def test_what_a_dead_owner_left_behind_is_taken_over(local: MakeSettings) -> None:
    settings = local("well")
    settings.home.mkdir()
    stale = ServerState(2**22 + 1, 1.0, "http://127.0.0.1:1/v1", "gone", "gone", ready=True)
    write_state(settings.home, stale)
    assert running_server(settings.home) is None
    async with opened(settings) as server:
        assert server.state.served_name == "tiny"
        assert json.loads((settings.home / "local-model.json").read_text())["pid"] == os.getpid()


async def test_a_port_that_somebody_else_has_is_said(local: MakeSettings) -> None:
    settings = local("well")
    with socket.socket() as other:
        other.bind((HOST, settings.model.local.port))
        other.listen()
        with pytest.raises(LocalModelPort, match=str(settings.model.local.port)):
            await open_local(settings, lambda words: None, patience=QUICK)
    assert not is_owned(settings.home)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_owner_leaves_no_server_behind(local: MakeSettings, sign: signal.Signals) -> None:
    settings = local("stubborn")
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, str(OWNER), settings.model_dump_json(include={"home", "model"})), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(30):
        assert (await owner.stdout.readline()).decode().strip() == f"http://{HOST}:{settings.model.local.port}/v1"
    assert is_owned(settings.home)
    owner.send_signal(sign)
    await owner.wait()
    assert await gone(server_pids(settings))
    assert await until(lambda: not is_owned(settings.home))


async def test_a_runtime_launches_its_server_and_stops_it(local: MakeSettings, server_home: Path) -> None:
    section = local("well").model
    settings = Settings(home=server_home, model=section, reasoner_retry_seconds=0.01)
    heard: list[str] = []
    async with await Runtime.open(settings, embedder=HashEmbedder(), tell=heard.append) as runtime:
        agent = await make_agent(runtime, "local", {"persona": "I am local.", "human": ""}, {})
        assert await runtime.ask((await runtime.new_conversation(agent)).id, "Hi.") == "Hello."
        pids = server_pids(settings)
    assert heard[-1] == "ready: it calls tools"
    assert await gone(pids)


async def test_a_runtime_that_only_looks_launches_nothing(local: MakeSettings, server_home: Path) -> None:
    settings = Settings(home=server_home, model=local("dies-at-start").model)
    async with await Runtime.open(settings, embedder=HashEmbedder(), work=False) as runtime:
        assert runtime.reasoner.is_language_model
    assert running_server(server_home) is None


async def test_nothing_configured_and_nothing_running_is_nothing(tmp_path: Path) -> None:
    assert await open_local(Settings(home=tmp_path), lambda words: None) is None
