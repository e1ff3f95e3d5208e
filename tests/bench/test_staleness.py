"""The staleness bench on a server that answers either from what is newest in the prompt, or from the snapshot alone."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pagemind.testing.measure.staleness.cases import CASES, Case, Kind, Verdict
from pagemind.testing.measure.staleness.figures import difference, wilson
from pagemind.testing.openai_server import CHAT, MODELS, OpenAIServer, Play, Request, Write, answers, says
from pagemind.testing.shell import Shell

SNAPSHOT = re.compile(r"<memory_blocks>.*?</memory_blocks>", re.DOTALL)


def reads(*, snapshot_only: bool) -> Play:
    """Answer a question with the value that stands last in the snapshot, or last in the whole prompt."""

    async def play(request: Request, write: Write) -> None:
        whole = json.dumps(request.body["messages"], ensure_ascii=False).replace("\\n", "\n")
        found = SNAPSHOT.search(whole)
        assert found is not None, "the prompt holds no blocks"
        case = next(case for case in CASES if case.question in str(request.body["messages"][-1]["content"]))
        await says(newest_value(case, found[0] if snapshot_only else whole))(request, write)

    return play


def newest_value(case: Case, text: str) -> str:
    """Of a replaced fact the new line takes the old one's place in the call: the last mention wins."""
    places = {value: text.rfind(line) for value, line in zip(case.values, case.lines, strict=True)}
    return max(places, key=lambda value: places[value])


@contextmanager
def serving(play: Play) -> Generator[OpenAIServer]:
    """The server on a loop in a thread of its own: the bench is a process that is waited for."""
    server = OpenAIServer(routes={MODELS: answers(200, {"data": [{"id": "m", "max_model_len": 16_384}]}), CHAT: play})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(ended(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def ended(server: OpenAIServer) -> None:
    """Stop listening, and let connections that are being served end."""
    await server.stop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def asked(tmp_path: Path, play: Play, *options: str) -> tuple[dict[str, Any], str]:
    figures = tmp_path / "figures.json"
    with serving(play) as server:
        command = ("bench-staleness", "--endpoint", server.url, "--figures", str(figures), *options)
        shown = Shell(tmp_path / "home", tmp_path).ok(*command)
    return json.loads(figures.read_text()), shown


def test_a_model_that_reads_the_snapshot_alone_is_stale_under_write_back_only(tmp_path: Path) -> None:
    figures, shown = asked(tmp_path, reads(snapshot_only=True), "--questions", "4")
    assert figures["write_back"]["stale"] == figures["questions"] == 4
    assert figures["write_through"]["right"] == 4
    assert figures["write_back"]["renewed_before_the_question"] == 0
    assert figures["difference"]["value"] == -1.0
    assert figures["right_under_write_through_only"] == 4
    assert "write_back, replaced: my city: stale, Lisbon (right: Porto)" in shown


def test_a_model_that_reads_what_is_newest_is_right_under_both(tmp_path: Path) -> None:
    figures, _ = asked(tmp_path, reads(snapshot_only=False), "--questions", "4", "--filler", "1")
    assert figures["write_back"]["right"] == figures["write_through"]["right"] == 4
    assert figures["write_back"]["by_kind"].keys() == {str(kind) for kind in Kind}
    assert figures["difference"]["low"] < 0 == figures["difference"]["value"] < figures["difference"]["high"]


@pytest.mark.parametrize("options", [(), ("--endpoint", "demo")])
def test_there_is_nothing_to_score_without_a_language_model(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = Shell(tmp_path / "home", tmp_path).run("bench-staleness", *options)
    assert done.returncode == 2
    assert "ENDPOINT=" in done.stderr
    assert done.stdout == ""


def test_a_server_that_is_not_there_is_an_error_and_not_a_score(tmp_path: Path) -> None:
    done = Shell(tmp_path / "home", tmp_path).run("bench-staleness", "--endpoint", "http://127.0.0.1:9/v1")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


def test_answers_are_judged_by_the_values_that_stand_in_them_as_words() -> None:
    case = next(case for case in CASES if case.topic == "my flight")
    judged = {answer: case.verdict(answer) for answer in ("athens.", "Vienna", "Oslo", "From Vienna to Athens", "Athenson", "")}
    assert judged == {
        "athens.": Verdict.right,
        "Vienna": Verdict.stale,
        "Oslo": Verdict.stale,
        "From Vienna to Athens": Verdict.other,
        "Athenson": Verdict.other,
        "": Verdict.other,
    }


def test_every_case_can_be_told_apart_and_every_kind_has_its_share() -> None:
    assert len(CASES) >= 24
    assert len({case.question for case in CASES}) == len({case.topic for case in CASES}) == len(CASES)
    assert {sum(case.kind == kind for case in CASES) for kind in Kind} == {7}
    for case in CASES:
        assert [case.verdict(value) for value in case.values] == [*([Verdict.stale] * (len(case.values) - 1)), Verdict.right]
        assert not any(case.verdict(text) != Verdict.other for text in (case.question, case.topic))


def test_intervals_are_wilsons_and_newcombes() -> None:
    share = wilson(56, 70)
    assert (round(share.value, 4), round(share.low, 4), round(share.high, 4)) == (0.8, 0.6918, 0.877)
    between = difference(share, wilson(48, 80))
    assert (round(between.value, 4), round(between.low, 4), round(between.high, 4)) == (0.2, 0.0524, 0.3339)
    assert (wilson(0, 28).low, wilson(28, 28).high) == (0.0, 1.0)
