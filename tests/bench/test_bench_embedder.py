from __future__ import annotations

import json
from pathlib import Path

import pytest

from pagemind.testing.measure.encoder_shape import BGE_M3
from pagemind.testing.shell import Shell


def test_bge_m3s_cost_is_that_of_its_302_million_parameters_and_of_attention() -> None:
    assert BGE_M3.flops_per_token(0) == pytest.approx(2 * 302e6, rel=1e-3)
    assert BGE_M3.flops_per_token(128) - BGE_M3.flops_per_token(0) == 4 * 24 * 128 * 1024


def test_the_bench_says_on_what_it_measured_and_never_pretends_a_gpu(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    shown = Shell(tmp_path / "home", tmp_path).ok("bench-embedder", "--figures", str(path))
    figures = json.loads(path.read_text())
    assert ("No GPU here" in shown) == (not figures["gpu"])
    assert (figures["query_with_graphs"] is None) == (not figures["gpu"])
    assert [bulk["tokens"] for bulk in figures["bulk"]] == [32, 128]
    assert all(bulk["texts_per_second"] > 0 < bulk["encoder_share_of_peak"] for bulk in figures["bulk"])
    assert 0 < figures["query_through_embedder"]["p50_ms"] <= figures["query_through_embedder"]["p95_ms"]
