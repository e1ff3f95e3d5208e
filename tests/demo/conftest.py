"""The data set, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def locomo() -> Path:
    """A conversation file of the LoCoMo data set, which is not ours to ship."""
    path = Path(os.environ.get("PAGEMIND_LOCOMO") or ROOT.parent / "shared/data/locomo/26.json")
    if not path.is_file():
        pytest.skip(f"no LoCoMo conversation at {path} (PAGEMIND_LOCOMO names another)")
    return path
