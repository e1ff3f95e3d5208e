"""A bounded form of `make crash`: the harness with few trials, in a process of its own since it forks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_no_death_at_any_fault_point_breaks_a_promise_and_a_broken_runtime_is_caught(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [
        sys.executable,
        "-m",
        "pagemind.cli.main",
        "crash",
        "--trials",
        "29",
        "--first-visits",
        "--figures",
        str(figures),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["points_hit"] == found["points"]
    assert found["violations"] == 0
    assert found["control_violations"] == found["control_trials"] > 0
