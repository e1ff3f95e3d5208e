from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pagemind.testing.shell import Shell


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of the bounded bench, run as a person runs it."""
    folder = tmp_path_factory.mktemp("bench")
    path = folder / "figures.json"
    shown = Shell(folder / "home", folder).ok("bench", "--quick", "--figures", str(path))
    assert "own time of a step, 1 agent" in shown
    assert "own time of a step, 4 agents at once" in shown
    return json.loads(Path(path).read_text())


@pytest.mark.parametrize("who", ["alone", "together"])
def test_every_step_of_the_workload_is_timed(figures: dict[str, Any], who: str) -> None:
    steps = figures[who]
    assert steps["steps"] == 9 * steps["agents"]
    assert 0 < steps["median_ms"] <= steps["p95_ms"]
    assert steps["cpu_ms"] > 0
    assert steps["steps_per_second"] > 0


@pytest.mark.parametrize("step", ["reply", "edit", "search"])
def test_a_run_reads_with_one_statement_and_each_step_is_one_transaction(figures: dict[str, Any], step: str) -> None:
    trips = figures["trips"][step]
    assert trips["read"]["statements"] == 1
    assert trips["read"]["transactions"] == 1
    assert trips["persist"]["transactions"] == 1
    assert trips["total"]["transactions"] == (2 if step == "search" else 1)


def test_an_edit_costs_a_step_a_lock_and_its_two_writes(figures: dict[str, Any]) -> None:
    reply, edit = (figures["trips"][step]["persist"]["statements"] for step in ("reply", "edit"))
    assert edit - reply == 3


def test_start_memory_and_embedder_are_measured(figures: dict[str, Any]) -> None:
    assert figures["start"]["starts"] == 1
    assert figures["start"]["prompt_seconds"] > 0
    assert figures["start"]["headless_seconds"] > 0
    assert figures["embedder"]["embeds_per_second"] > 0
    assert (figures["reference"] is None) == (figures["throughput_ratio"] is None)
    if figures["memory"] is not None:
        assert figures["memory"]["bare"]["rss_mib"] < figures["memory"]["with_embedder"]["rss_mib"]
        assert figures["memory"]["postgres_processes"] > 1
