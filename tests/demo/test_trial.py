"""A conversation goes through a small window turn by turn, and what left the window is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.locomo.figures import AT
from pagemind.testing.locomo.talk import read_talk
from pagemind.testing.locomo.trial import Progress, Trial

from .conversation import written

pytestmark = pytest.mark.anyio


async def test_an_obvious_question_finds_its_evidence_after_it_was_paged_out(settings: Settings, tmp_path: Path) -> None:
    talk = read_talk(written(tmp_path, turns=40)).first(2)
    told: list[Progress] = []
    async with await Runtime.open(settings) as runtime:
        report = await Trial(runtime, talk, window_tokens=4096, told=told.append).run(talk.draw(5, seed=0))
    assert [each.question.evidence for each in report.answered] == [("D1:2",), ("D2:3",)]
    assert [each.share for each in report.answered] == [1.0, 1.0]
    assert any("Saffron" in each.text for each in report.answered[1].found)
    assert "beekeeping" in report.answered[0].answer
    assert report.compactions
    assert report.compactions[0].tokens_after < report.compactions[0].tokens_before
    assert max(report.context_tokens) <= report.window_tokens == 4096
    assert report.turns == 80
    assert report.cut_short == 0
    assert [progress.turns for progress in told if progress.session_done] == [40, 80]


async def test_turns_are_heard_and_not_answered_with_searches(settings: Settings, tmp_path: Path) -> None:
    talk = read_talk(written(tmp_path)).first(1)
    async with await Runtime.open(settings) as runtime:
        report = await Trial(runtime, talk).run([])
    assert (report.turns, len(report.steps), report.messages) == (12, 12, 24)


async def test_the_data_set_itself_is_paged_and_asked_about(settings: Settings, locomo: Path) -> None:
    talk = read_talk(locomo).first(2)
    async with await Runtime.open(settings) as runtime:
        report = await Trial(runtime, talk, window_tokens=4096).run(talk.draw(3, seed=0))
    figures = report.figures()
    assert figures["questions"] == 3
    assert figures["cut_short"] == 0
    assert figures["turns"] == sum(len(session.turns) for session in talk.sessions)
    assert figures["compactions"] >= 1
    assert figures["max_context_tokens"] <= figures["window_tokens"]
    assert figures["evidence_found"] > 0
    assert 0 < figures["recall_at_5"] <= figures["recall_at_10"] <= figures["recall_at_20"] <= 1
    assert len(figures["context_tokens"]) == figures["steps"] == len(report.steps)
    assert all(len(each.bare) <= max(AT) for each in report.answered)
    assert all(step.stages["persist"] > 0 for step in report.steps)
