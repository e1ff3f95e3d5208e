from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pagemind.testing.shell import Shell


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of the bounded bench of the server, run as a person runs it."""
    folder = tmp_path_factory.mktemp("bench-server")
    path = folder / "figures.json"
    shown = Shell(folder / "home", folder).ok("bench-server", "--quick", "--figures", str(path))
    assert "a message of one agent, blocking" in shown
    assert "8 agents at once" in shown
    return json.loads(Path(path).read_text())


def test_the_messages_of_one_agent_are_timed_and_cost_few_round_trips(figures: dict[str, Any]) -> None:
    alone = figures["alone"]
    assert 0 < alone["p50_ms"] <= alone["p95_ms"]
    assert alone["server_cpu_ms"] > 0
    assert alone["round_trips"] < 10


def test_inputs_and_steps_of_a_crowd_travel_together(figures: dict[str, Any]) -> None:
    [crowd] = figures["crowds"]
    assert crowd["agents"] == 8
    assert crowd["runs_per_second"] > 0
    assert crowd["round_trips"] < figures["alone"]["round_trips"] + 1


def test_every_stream_keeps_its_cadence(figures: dict[str, Any]) -> None:
    streams = figures["streams"]
    assert streams["streams"] == 20
    assert 50 < streams["gap_p50_ms"] < 200
    assert streams["gap_p50_ms"] <= streams["gap_p99_ms"] <= streams["gap_max_ms"]


def test_passages_and_memory_are_measured(figures: dict[str, Any]) -> None:
    assert figures["passages_per_second"] > 0
    assert 0 < figures["memory"]["early_mib"] <= 1.5 * figures["memory"]["end_mib"]
