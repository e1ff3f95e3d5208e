"""The bounded bench of prefixes on the session's vLLM: what it prints is what the server counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pagemind.testing.shell import Shell


@pytest.fixture(scope="module")
def figures(vllm_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures, written by the command as a person runs it."""
    folder = tmp_path_factory.mktemp("bench")
    path = folder / "figures.json"
    shown = Shell(folder / "home", folder).ok("bench-prefix", "--quick", "--endpoint", vllm_url, "--figures", str(path))
    assert "recomputed tokens per call" in shown
    assert "Share of prompt tokens from the cache" in shown
    return json.loads(path.read_text())


@pytest.mark.parametrize("talk", ["talk", "every_turn"])
def test_the_server_counted_just_these_calls_and_no_others(figures: dict[str, Any], talk: str) -> None:
    told = figures[talk]
    assert told["queries"] - told["hits"] == sum(told["recomputed_by_kind"].values())
    assert told["calls"]["step"] == told["turns"] + told["edits"]
    assert told["cached_share"] == told["hits"] / told["queries"]
    assert told["recomputed_tokens_per_call"] >= told["recomputed_tokens_per_any_call"]


def test_a_conversation_is_paged_out_between_its_turns_and_its_prefix_stays_put(figures: dict[str, Any]) -> None:
    talk = figures["talk"]
    assert talk["epochs"]["early"] == talk["calls"]["summary"] == talk["calls"]["warm"] > 0
    assert "broken" not in talk["prefixes"]
    assert talk["prefixes"]["kept"] == talk["calls"]["step"] - 1 - talk["calls"]["summary"]
    assert figures["cached_share"] > 0.8


def test_every_prompt_is_as_long_as_it_was_counted(figures: dict[str, Any]) -> None:
    counts = figures["counts"]
    assert counts["equal"] == counts["calls"] > 30
    assert counts["corrected"] == counts["largest_difference"] == 0


def test_agents_of_one_definition_share_their_static_text(figures: dict[str, Any]) -> None:
    crowd = figures["crowd"]
    assert len(crowd["first_cached"]) == crowd["agents"] - 1
    assert min(crowd["first_cached"]) > crowd["static_tokens"] * 0.95
    assert figures["shared_static_share"] > 0.95


def test_a_turn_behind_background_calls_and_the_runtimes_own_time_are_measured(figures: dict[str, Any]) -> None:
    assert len(figures["first_reply_seconds"]) == 3
    assert all(seconds > 0 for seconds in figures["first_reply_seconds"].values())
    own = figures["own_time"]
    assert own["steps"] == 8
    assert 0 < own["median_ms"] <= own["p95_ms"]
    assert abs(sum(share for _, share in own["profile"]) - 1) < 1e-6
