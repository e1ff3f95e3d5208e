"""The pure parts: lines about runs, where options may stand, commands, the bar of the window, lines from a pipe."""

from __future__ import annotations

import json
import os
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from pagemind.cli.display import tail
from pagemind.cli.groups import split_options
from pagemind.cli.lines import BUDGET_STATUS, exit_status, line_of
from pagemind.cli.memory_edits import paragraphs
from pagemind.cli.reading import LineReader
from pagemind.cli.window import bar_cells
from pagemind.errors import MessageTooLong, ReasonerUnreachable, StoreFull
from pagemind.events import CallsMalformed, Compacted, Event, RetryScheduled, RunEnded, TextDelta, ToolReturned


def returned(
    name: str, arguments: dict[str, object], effect: str, status: str = "ok", milliseconds: float = 12.3
) -> ToolReturned:
    return ToolReturned("1", name, json.dumps(arguments), "result", status, milliseconds, effect)


def ended(state: str, reason: str, error: dict[str, str] | None = None) -> RunEnded:
    return RunEnded(uuid4(), state, reason, 1, 2, 3, error)


@pytest.mark.parametrize(
    ("event", "mark", "text"),
    [
        (returned("core_memory_append", {"label": "human", "content": "x"}, "human +1 line"), "✎", "human +1 line"),
        (
            returned("archival_memory_search", {"tags": ["a"], "query": "Porto"}, "3 hits"),
            "⚙",
            'archival_memory_search "Porto" → 3 hits 12 ms',
        ),
        (returned("memory_insert", {}, "Refused: full", "error"), "✗", "memory_insert: Refused: full"),
        (
            Compacted(24, 5210, 2480, 2, 3, 26),
            "⇅",
            "paged out 24 messages (#3–#26), 5,210 → 2,480 tokens, because the window was full",
        ),
        (CallsMalformed("no such tool", 1), "↻", "the reply's tool calls could not be run (no such tool); asked again"),
        (RetryScheduled("busy", 2.0, 1), "↻", "busy; trying again in 2 s"),
        (ended("cancelled", "cancelled"), "■", "cancelled"),
    ],
)
def test_an_event_is_one_line(event: Event, mark: str, text: str) -> None:
    line = line_of(event)
    assert line is not None
    assert (line.mark, line.text) == (mark, text)
    assert line.plain_mark.isascii()


def test_words_of_the_reply_have_no_line() -> None:
    assert line_of(TextDelta("x")) is None
    assert line_of(ended("completed", "end_turn")) is None


def test_hostile_arguments_stay_on_one_harmless_line() -> None:
    line = line_of(returned("a\x1b[2J", {"query": "\x1b]52;c;x\x07two\nlines"}, "1 hit"))
    assert line is not None
    assert line.text == 'a "two lines" → 1 hit 12 ms'


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (ended("completed", "end_turn"), 0),
        (ended("completed", "max_steps"), BUDGET_STATUS),
        (ended("failed", "window_full"), BUDGET_STATUS),
        (ended("failed", "error", ReasonerUnreachable(url="u").as_dict()), 3),
        (ended("failed", "error", StoreFull().as_dict()), 1),
        (ended("failed", "invalid_calls"), 1),
        (ended("cancelled", "cancelled"), 130),
    ],
)
def test_the_exit_status_of_a_run(event: RunEnded, status: int) -> None:
    assert exit_status(event) == status


def test_the_roots_options_may_stand_anywhere() -> None:
    assert split_options(["-p", "hi", "--home", "/x", "--model=m"]) == (["--home", "/x", "--model=m"], ["-p", "hi"])
    assert split_options(["agents", "--", "--home", "x"]) == ([], ["agents", "--", "--home", "x"])
    assert split_options(["--home"]) == (["--home"], [])


SEGMENTS = ("system", "tools", "blocks", "summary", "messages", "reserve", "free")


@given(st.lists(st.integers(0, 200_000), min_size=7, max_size=7), st.integers(10, 120))
def test_the_bar_is_as_wide_as_it_should_be_and_shows_every_segment(counts: list[int], columns: int) -> None:
    cells = bar_cells(dict(zip(SEGMENTS, counts, strict=True)), columns)
    assert sum(cells.values()) == columns
    assert all(cells[name] >= 1 for name, count in zip(SEGMENTS[:-1], counts, strict=False) if count)


@given(st.text(max_size=300), st.integers(2, 40), st.integers(1, 10))
def test_the_live_area_never_outgrows_its_place(text: str, columns: int, rows: int) -> None:
    lines = tail(text, columns, rows)
    assert len(lines) <= rows
    assert all(sum(map(get_cwidth, line)) <= columns for line in lines)


def test_paragraphs_are_what_blank_lines_separate() -> None:
    assert paragraphs("one\ntwo\n\n \n\nthree\n") == ["one\ntwo", "three"]
    assert paragraphs(" \n") == []


@pytest.mark.anyio
async def test_lines_come_whole_and_one_over_the_limit_is_an_error_in_its_place() -> None:
    reading, writing = os.pipe()
    os.write(writing, "schön\r\n\n".encode() + b"x" * 500 + b"\nlast")
    os.close(writing)
    lines = [line async for line in LineReader(reading, limit_chars=50).lines()]
    os.close(reading)
    assert [line for line in lines if isinstance(line, str)] == ["schön", "", "last"]
    assert isinstance(lines[2], MessageTooLong)
