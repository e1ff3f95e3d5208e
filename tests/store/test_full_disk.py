"""A full disk is one clear error, and nothing accepted before is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "full_disk.py"
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture
def own_mounts(tmp_path: Path) -> list[str]:
    """The words that run a command where it may mount a small disk on ``tmp_path``."""
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs `unshare` and user namespaces to make a small disk")
    return OWN_MOUNTS


def test_a_full_disk_refuses_and_loses_nothing(own_mounts: list[str], tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=64m,mode=700 tmpfs "{tmp_path}" && exec "$@"'
    command = [*own_mounts, "sh", "-c", mount, "sh", sys.executable, str(SCRIPT), str(tmp_path)]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["full", "StoreFull", "StoreFull"]
