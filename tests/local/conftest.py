"""A home folder with a local model configured, whose server is a small script that behaves as the test asks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pagemind.settings import LocalModelSettings, ModelSettings, Settings
from pagemind.testing.local_vllm import free_port

from .behaving import MakeSettings

CONFIG = {"model_type": "qwen3", "num_hidden_layers": 1, "num_attention_heads": 1, "head_dim": 64, "hidden_size": 64}


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A model as far as the launcher looks at it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def local(tmp_path: Path, model_folder: Path) -> MakeSettings:
    """Settings under which the local server behaves in the given way."""
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{Path(__file__).with_name('bad_server.py').read_text()}")
    python.chmod(0o700)
    port = free_port()

    def make(behaviour: str) -> Settings:
        section = LocalModelSettings(
            model=str(model_folder), port=port, gpu=False, python=python, extra_args=("--behave", behaviour)
        )
        return Settings(home=tmp_path / "home", model=ModelSettings(local=section), reasoner_retry_seconds=0.01)

    return make
