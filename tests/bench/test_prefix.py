"""The bench of prefixes where it cannot measure anything says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pagemind.testing.measure.prefix.counters import CacheCounters, NoPrefixCounters, cache_counters
from pagemind.testing.measure.prefix.texts import lines, seeded, sized, words
from pagemind.testing.openai_server import openai_server
from pagemind.testing.shell import SOURCE, Shell
from pagemind.testing.vllm_server import METRICS, tells

pytestmark = pytest.mark.anyio

TOLD = """\
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1000.0
vllm:prefix_cache_queries_total{engine="1",model_name="m"} 24.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 960.0
"""


def test_without_a_vllm_it_skips_aloud(tmp_path: Path) -> None:
    # A source tree of its own, which has no .venv-vllm beside it.
    shutil.copytree(SOURCE / "pagemind", tmp_path / "runtime" / "pagemind", ignore=shutil.ignore_patterns("__pycache__"))
    shell = Shell(tmp_path / "home", tmp_path).under(PYTHONPATH=str(tmp_path / "runtime"))
    assert shell.ok("bench-prefix", "--quick").startswith("SKIPPED: there is no vLLM here")


def test_a_server_without_prefix_counters_is_an_error_with_a_fix(tmp_path: Path) -> None:
    done = Shell(tmp_path / "home", tmp_path).run("bench-prefix", "--quick", "--endpoint", "http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "prefix caching" in done.stderr
    assert done.stdout == ""


async def test_counters_are_summed_over_engines() -> None:
    async with openai_server() as server:
        server.routes[METRICS] = tells(TOLD)
        assert await cache_counters(server.url) == CacheCounters(queries=1024, hits=960)
        server.routes[METRICS] = tells("process_start_time_seconds 1.7e+09\n")
        with pytest.raises(NoPrefixCounters, match="prefix caching"):
            await cache_counters(server.url)


def test_what_was_recomputed_is_what_was_not_found() -> None:
    since = CacheCounters(1_000, 900).since(CacheCounters(200, 140))
    assert (since.recomputed, since.share) == (40, 0.95)


async def test_texts_have_the_length_that_was_asked_for_and_are_the_same_in_every_run() -> None:
    async def count(text: str) -> int:
        return len(text) // 3

    texts = [await sized(lambda number: f"Hello: {words(seeded('a'), number)}", 100, count) for _ in range(2)]
    assert texts[0] == texts[1]
    assert abs(await count(texts[0]) - 100) <= 2
    assert len(set(lines(seeded("b"), 45, "Notes"))) == 5
