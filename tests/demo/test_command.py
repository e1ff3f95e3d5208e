"""The command as a process: it prints, writes its figures, and leaves nobody's home folder touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .conversation import written


def demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pagemind.cli.main", "--reasoner", "demo", "demo", *arguments]
    environment = {**os.environ, "PAGEMIND_HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_the_demo_prints_its_findings_and_writes_its_figures(tmp_path: Path) -> None:
    home, figures = tmp_path / "home", tmp_path / "figures.json"
    ended = demo(home, "--data", str(written(tmp_path)), "--sessions", "2", "--figures", str(figures))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not set("█▁▲│└") & set(ended.stdout)
    assert "evidence found: 100% (1 of 1: D2:3)" in ended.stdout
    assert "Tokens in the window" in ended.stdout
    written_figures = json.loads(figures.read_text())
    assert (written_figures["turns"], written_figures["questions"], written_figures["evidence_found"]) == (24, 2, 1.0)
    assert not home.exists()


def test_without_the_data_it_skips_aloud(tmp_path: Path) -> None:
    ended = demo(tmp_path / "home", "--data", str(tmp_path / "absent.json"))
    assert ended.returncode == 0
    assert ended.stdout.startswith("SKIPPED")


def test_another_file_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    ended = demo(tmp_path / "home", "--data", str(path))
    assert ended.returncode == 2
    assert "bad_talk" in ended.stderr
