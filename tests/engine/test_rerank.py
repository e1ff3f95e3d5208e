from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.engine.metrics import process_metrics_text
from pagemind.engine.rerank import reranked
from pagemind.engine.runtime import Runtime
from pagemind.engine.second_stage import SecondStage
from pagemind.errors import RerankerError, RerankerLoading
from pagemind.records import PassageHit, Policy
from pagemind.settings import Settings
from pagemind.testing import Bench, bench

pytestmark = pytest.mark.anyio

HITS = [
    PassageHit(uuid4(), text, (), "", datetime(2026, 1, 1, tzinfo=UTC), 1.0, scores={"words": 1.0})
    for text in ("velociraptor", "cat", "horse", "elephant")
]
BY_LENGTH = ["cat", "horse", "velociraptor", "elephant"]
"""The first three, the shortest first; the fourth was not asked about."""


class ByLength:
    """Likes short texts. ``outcome`` is what it does instead of answering."""

    name = "by-length"
    weight = None
    deadline_seconds = 0.05

    def __init__(self, outcome: Exception | float | None = None) -> None:
        self.outcome = outcome
        self.seen: list[Sequence[str]] = []
        self.closed = False

    def warm(self) -> None:
        """Nothing to load."""

    async def ready(self) -> None:
        """Always."""

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """By length."""
        self.seen.append(texts)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is not None:
            try:
                async with asyncio.timeout(deadline_seconds):
                    await asyncio.sleep(self.outcome)
            except TimeoutError:
                return None
        return [1 / len(text) for text in texts]

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture(scope="module")
async def chat(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), reranker_top=3)
    async with bench(settings, work=False) as opened:
        yield opened


async def ordered(chat: Bench, reranker: ByLength | None, rerank: bool | None = None) -> tuple[list[str], str]:
    kernel = replace(chat.runtime.kernel, second_stage=SecondStage(reranker) if reranker else None)
    found, note = await reranked(kernel, "which animal?", HITS, Policy(rerank=rerank))
    return [hit.text for hit in found], note


async def test_the_first_hits_are_reranked_where_one_is_configured(chat: Bench) -> None:
    reranker = ByLength()
    texts, note = await ordered(chat, reranker)
    assert texts == BY_LENGTH
    assert note.startswith("reranked 3 in ")
    assert reranker.seen == [["velociraptor", "cat", "horse"]]


async def test_a_policy_turns_it_off_and_asking_for_what_is_not_there_is_said(chat: Bench) -> None:
    reranker = ByLength()
    assert await ordered(chat, reranker, rerank=False) == ([hit.text for hit in HITS], "")
    assert reranker.seen == []
    assert await ordered(chat, None) == ([hit.text for hit in HITS], "")
    assert (await ordered(chat, None, rerank=True))[1] == "no reranker is configured: order kept"


@pytest.mark.parametrize(
    ("outcome", "note"),
    [
        (30.0, "the reranker took longer than 50 ms: order kept"),
        (RerankerLoading(), "the reranker is still being loaded: order kept"),
        (RerankerError("velociraptor"), "The reranker failed: order kept"),
    ],
)
async def test_whatever_keeps_it_from_answering_the_order_is_kept(chat: Bench, outcome: Exception | float, note: str) -> None:
    assert await ordered(chat, ByLength(outcome)) == ([hit.text for hit in HITS], note)


async def test_hits_that_were_looked_up_and_empty_queries_are_left_alone(chat: Bench) -> None:
    reranker = ByLength()
    kernel = replace(chat.runtime.kernel, second_stage=SecondStage(reranker))
    looked_up = [replace(hit, scores={}) for hit in HITS]
    assert await reranked(kernel, "#1-#4", looked_up, Policy()) == (looked_up, "")
    assert await reranked(kernel, " ", HITS, Policy()) == (HITS, "")
    assert await reranked(kernel, "x", HITS[:1], Policy()) == (HITS[:1], "")
    assert reranker.seen == []


async def test_misses_are_logged_once_and_counted_and_no_text_is_logged(chat: Bench, caplog: pytest.LogCaptureFixture) -> None:
    reranker = ByLength(30.0)
    stage = SecondStage(reranker)
    kernel = replace(chat.runtime.kernel, second_stage=stage)
    with caplog.at_level(logging.WARNING):
        for outcome in (30.0, 30.0, RerankerError("velociraptor"), RerankerError("velociraptor"), None):
            reranker.outcome = outcome
            await reranked(kernel, "velociraptor?", HITS, Policy())
    assert (stage.reranked, stage.late, stage.failed) == (1, 2, 2)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "velociraptor" not in caplog.text
    text = process_metrics_text(kernel.database, stage)
    assert 'pagemind_reranker_total{outcome="late"} 2.0' in text
    assert "pagemind_reranker" not in process_metrics_text(kernel.database)


async def test_the_runtime_closes_its_reranker(tmp_path: Path) -> None:
    reranker = ByLength()
    async with await Runtime.open(Settings(home=tmp_path, reasoner_url="demo"), reranker=reranker, work=False) as runtime:
        assert runtime.kernel.second_stage is not None
        assert runtime.kernel.second_stage.reranker is reranker
    assert reranker.closed
