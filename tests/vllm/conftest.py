"""A real vLLM on the CPU, serving the model that ``tiny_model.py`` builds; its port and its process group are its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]
VLLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
START_SECONDS = 300.0
STOP_SECONDS = 20.0
MODEL = "tiny"
ARGUMENTS = [
    *("--host", "127.0.0.1"),
    *("--dtype", "bfloat16"),
    "--enforce-eager",
    *("--block-size", "32"),
    *("--max-num-seqs", "8"),
    *("--seed", "0"),
    "--enable-auto-tool-choice",
    *("--tool-call-parser", "hermes"),
    *("--tool-strict-level", "parameter"),
    "--enable-prompt-tokens-details",
]
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Qwen3 with random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    script = Path(__file__).with_name("tiny_model.py")
    subprocess.run([sys.executable, script, folder], check=True, timeout=120, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def vllm_url(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The base URL, with ``/v1``, of a vLLM that serves the tiny model under the name ``tiny``."""
    if not VLLM_PYTHON.exists():
        pytest.skip("there is no .venv-vllm: `make vllm-cpu` sets it up")
    model: Path = request.getfixturevalue("tiny_model")
    port = free_port()
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    command = [VLLM_PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port)]
    with running([*command, "--served-model-name", MODEL, *ARGUMENTS], log) as server:
        wait_until_healthy(server, port, log)
        yield f"http://127.0.0.1:{port}/v1"


def free_port() -> int:
    """A port on the loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str | Path], log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, and end that group, all of it, on the way out."""
    with log.open("wb") as out:
        environment = {**os.environ, **ENVIRONMENT}
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=log.parent, start_new_session=True)
        try:
            yield server
        finally:
            end_group(server)


def end_group(server: subprocess.Popen[bytes]) -> None:
    """Ask first; vLLM's engine outlives its parent now and then, so the whole group is killed in the end."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(STOP_SECONDS)
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once it answers; fail with the end of its log when it exits or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"vLLM exited with {server.returncode}:\n{tail(log)}")
        if answers(f"http://127.0.0.1:{port}/health"):
            return
        time.sleep(0.5)
    pytest.fail(f"vLLM was not ready after {START_SECONDS:.0f} s:\n{tail(log)}")


def answers(url: str) -> bool:
    """Whether there is a server that says it is well."""
    try:
        return httpx2.get(url, timeout=5.0).is_success
    except httpx2.TransportError:
        return False


def tail(log: Path, chars: int = 4_000) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-chars:]
