"""``pagemind memory search`` and what stands behind it: filters, weights, reasons; insert, confirm, forget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from rich.console import Console

from pagemind.cli import origins
from pagemind.cli.explaining import bar, found_view, searches_view
from pagemind.cli.memory_edits import bare_id
from pagemind.cli.searches import Options, UnknownDecay
from pagemind.cli.times import UnknownTime, days_in, moment_in
from pagemind.errors import UnknownRecord
from pagemind.events import ToolReturned
from pagemind.records import Decay, MessageHit, Origin, PassageHit, Policy
from pagemind.records.search import Found
from pagemind.settings import content_folder

from ..within import Within

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def shown(found: object) -> str:
    console = Console(width=150, record=True, file=None, force_terminal=False, color_system=None)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


def passage(text: str, **more: object) -> PassageHit:
    return PassageHit(uuid4(), text, (), "person:ada", NOON, 1.5, **more)  # pyright: ignore[reportArgumentType]


def test_a_hit_is_shown_with_each_arms_place_and_bar_its_boosts_and_its_trust() -> None:
    hit = passage(
        "The vault opens with 4711.",
        scores={"words": 8.2, "words_rank": 1.0, "vector": 0.31, "vector_rank": 2.0, "neighbours": 0.2},
        boosts={"decay": 0.9},
        origin="stated",
        confidence=0.7,
        review_by=NOON + timedelta(days=30),
    )
    other = passage("The vault is green.", scores={"words": 0.0, "vector": 0.62, "vector_rank": 1.0})
    lines = shown(found_view(Found((hit, other), notes=("yesterday: 2026-04-30",), seconds=0.0031)))
    assert "words     1 ████████ 8.200" in lines
    assert "meaning   2 ████     0.310" in lines
    assert "neighbours  +0.200" in lines
    assert "decay       ×0.900" in lines
    assert "stated 0.7" in lines
    assert "review by 2026-05-31" in lines
    assert "meaning   1 ████████ 0.620" in lines
    assert "words     –          0.000" in lines
    assert "yesterday: 2026-04-30 · 3.1 ms" in lines
    assert "came near" not in lines


def test_a_hit_without_any_reason_looks_fine() -> None:
    message = MessageHit(uuid4(), 12, "user", "Hello\x1b[31m there", NOON, 1.0, resident=False)
    lines = shown(found_view(Found((message,))))
    assert "by its place" in lines
    assert "Hello there" in lines
    assert "#12 user" in lines
    assert "paged out" in lines


def test_what_came_near_stands_below_with_its_reason() -> None:
    near = passage("The vault is green.", scores={"vector": 0.2, "vector_rank": 3.0}, missed="its similarity 0.20 is below 0.3")
    lines = shown(found_view(Found((), (near,))))
    assert lines.index("Nothing was found.") < lines.index("came near") < lines.index("its similarity 0.20 is below 0.3")


def test_the_searches_of_a_run_are_told_one_by_one() -> None:
    item = {"kind": "passage", "id": str(uuid4()), "text": "Tea.", "score": 1.0, "scores": {"words": 1.0, "words_rank": 1}}
    one = ToolReturned(
        "a", "archival_memory_search", '{"query": "tea"}', "- Tea.", "ok", 3.0, recalled=(item,), notes=("3 ms",)
    )
    lines = shown(searches_view([one, one]))
    assert lines.count('archival_memory_search {"query": "tea"}') == 2
    assert "recalled nothing" in shown(searches_view([]))


def test_what_an_older_version_noted_of_a_search_is_shown_as_far_as_it_goes() -> None:
    item = {"kind": "message", "id": "#3", "text": "Tea.", "score": 1.0, "scores": {"words": 1.0}}
    lines = shown(searches_view([ToolReturned("a", "conversation_search", "{}", "", "ok", 3.0, recalled=(item,))]))
    assert "Tea." in lines


@pytest.mark.parametrize(
    ("value", "greatest", "cells"), [(0, 0, ""), (1, 1, "████████"), (0.5, 1, "████"), (-1, 1, ""), (9, 1, "████████")]
)
def test_a_bar_is_full_at_the_greatest_and_never_longer(value: float, greatest: float, cells: str) -> None:
    assert bar(value, greatest) == cells.ljust(8)


@pytest.mark.parametrize(
    ("span", "days"), [("30d", 30), ("2w", 14), ("12h", 0.5), ("3m", 90), ("1y", 365), ("7", 7), ("1.5d", 1.5)]
)
def test_a_span_of_time_is_a_number_and_a_letter(span: str, days: float) -> None:
    assert days_in(span) == days
    assert moment_in(span, NOON) == NOON + timedelta(days=days)


@pytest.mark.parametrize("span", ["", "d", "-3d", "0d", "soon", "30 days", "1e9d", "99999999d", "٣x"])
def test_what_is_no_time_is_refused(span: str) -> None:
    with pytest.raises(UnknownTime):
        moment_in(span, NOON)


def test_a_date_is_a_time() -> None:
    assert moment_in("2027-01-31T10:00+00:00", NOON) == datetime(2027, 1, 31, 10, tzinfo=UTC)


def test_what_the_command_line_says_goes_before_the_agents_file() -> None:
    own = Policy(min_similarity=0.5, diversity=0.1, retention_days=10)
    assert Options().policy(own) == own
    asked = Options(decay="linear:90d", diversity=0.3).policy(own)
    assert (asked.decay, asked.retention_days, asked.diversity, asked.min_similarity) == (Decay.linear, 90, 0.3, 0.5)
    assert Options(decay="half-life").policy(own).retention_days == 10
    assert Options(decay="none").policy(own).decay == Decay.none
    for wrong in ("sudden", "linear:", "linear:soon", ":90d"):
        with pytest.raises(UnknownDecay):
            Options(decay=wrong if wrong != "linear:" else "linear:x").policy(own)


def test_the_options_know_the_origins_of_the_records() -> None:
    assert [each.value for each in origins.Origin] == [each.value for each in Origin]


@pytest.mark.parametrize("given", ["", "abc", "zzzzzzzz", "'; --  "])
def test_what_can_be_no_id_names_no_passage(given: str) -> None:
    with pytest.raises(UnknownRecord):
        bare_id(given)
    assert bare_id("passage-8B124F00") == "8b124f00"


def test_a_passage_is_stored_once_found_with_reasons_confirmed_and_forgotten(within: Within) -> None:
    within.ok("apply", str(content_folder() / "agents" / "assistant.yaml"))
    put = ["memory", "insert", "assistant", "The vault opens with 4711.", "--tag", "keys", "--expires", "30d", "--json"]
    first = within.json(*put, "--confidence", "0.6")
    again = within.json("memory", "insert", "assistant", "the vault opens  with 4711", "--json")
    assert (first["inserted"], again["inserted"], again["known"], again["ids"]) == (1, 0, 1, first["ids"])
    [id] = first["ids"]
    explained = within.ok("memory", "search", "assistant", "which number opens the vault", "--explain")
    assert "words     1 ████████" in explained
    assert "meaning   1 ████████" in explained
    assert "stated 0.6" in explained
    assert within.json("memory", "search", "assistant", "vault", "--trust", "0.7", "--json")["passages"] == []
    assert within.json("memory", "search", "assistant", "vault", "--origin", "inferred", "--json")["passages"] == []
    [hit] = within.json("memory", "search", "assistant", "vault", "--all-tags", "keys", "--decay", "linear:90d", "--json")[
        "passages"
    ]
    assert hit["boosts"]["decay"] == pytest.approx(1.0, abs=0.01)
    assert "error[unknown_decay]" in within.run("memory", "search", "assistant", "vault", "--decay", "slowly").stderr
    confirmed = within.json("memory", "confirm", "assistant", id[:8], "--review", "1y", "--confidence", "0.9", "--json")
    assert (confirmed["origin"], confirmed["confidence"]) == ("stated", 0.9)
    assert "Forgotten: The vault opens with 4711." in within.ok("memory", "forget", "assistant", id)
    assert within.json("memory", "search", "assistant", "vault", "--json")["passages"] == []
    assert "error[not_found]" in within.run("memory", "forget", "assistant", id).stderr
