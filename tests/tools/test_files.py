"""The file tools: open, grep, search by meaning; what they show and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from pagemind.memory.chunks import chunks_of
from pagemind.memory.file_view import view_of
from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.registry import Registry

pytestmark = pytest.mark.anyio

Calling = Callable[..., Coroutine[Any, Any, CallResult]]
GARDEN = "Figs ripen in August.\nThe spade is green.\nThe hose leaks.\n"


@pytest.fixture
def files(system: Any) -> dict[str, str]:
    """The agent's files; tests add to them."""
    held: dict[str, str] = system.files
    held["docs/garden.md"] = GARDEN
    return held


def test_their_arguments_are_letta_s(shipped: Registry) -> None:
    def arguments(name: str) -> list[str]:
        return list(shipped[name].schema.parameters["properties"])

    assert arguments("open_files") == ["file_requests", "close_all_others"]
    assert arguments("grep_files") == ["pattern", "include", "context_lines", "offset"]
    assert arguments("semantic_search_files") == ["query", "limit"]
    item = shipped["open_files"].schema.parameters["properties"]["file_requests"]["items"]
    assert (list(item["properties"]), item["required"]) == (["file_name", "offset", "length"], ["file_name"])


async def test_an_opened_file_is_shown_under_line_numbers(call: Calling, files: dict[str, str], effects: list[str]) -> None:
    result = await call("open_files", file_requests=[{"file_name": "docs/garden.md"}], close_all_others=True)
    assert result.text == (
        "docs/garden.md [all 3 lines]\n1: Figs ripen in August.\n2: The spade is green.\n3: The hose leaks.\n\n"
        "Closed for it: old.txt."
    )
    assert effects == ["opened docs/garden.md"]


async def test_a_part_of_a_file_is_opened(call: Calling, files: dict[str, str]) -> None:
    result = await call("open_files", file_requests=[{"file_name": "docs/garden.md", "offset": 1, "length": 1}])
    assert result.text == "docs/garden.md [lines 2 to 2 of 3]\n2: The spade is green."


async def test_a_large_file_is_shown_as_far_as_it_may_be(call: Calling, files: dict[str, str]) -> None:
    files["docs/long.txt"] = "\n".join(f"line {n}" for n in range(1, 1_001))
    result = await call("open_files", file_requests=[{"file_name": "docs/long.txt", "offset": 500}])
    assert result.text.startswith("docs/long.txt [lines 501 to 514 of 1000]\n501: line 501\n")
    assert len(result.text) < 300


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([], "name at least one file"),
        ([{"file_name": "docs/other.md"}], "docs/garden.md"),
        ([{"file_name": " "}], "it is empty"),
        ([{"file_name": "docs/garden.md", "offset": -1}], "from 0"),
        ([{"file_name": "docs/garden.md", "length": 0}], "from 1"),
    ],
)
async def test_what_cannot_be_opened_is_refused(
    call: Calling, files: dict[str, str], requests: list[dict[str, object]], says: str
) -> None:
    result = await call("open_files", file_requests=requests)
    assert result.status == "error"
    assert says in result.text


async def test_lines_are_grepped_with_their_neighbours(call: Calling, files: dict[str, str], effects: list[str]) -> None:
    result = await call("grep_files", pattern="spade")
    assert result.text == (
        "1 lines match: docs/garden.md (1). Here are 1 to 1.\n\n"
        "docs/garden.md\n  1: Figs ripen in August.\n> 2: The spade is green.\n  3: The hose leaks."
    )
    assert effects == ["1 match"]


async def test_many_matches_come_in_pages(call: Calling, files: dict[str, str]) -> None:
    files["docs/long.txt"] = "\n".join(f"row {n}" for n in range(1, 46))
    first = await call("grep_files", pattern="row", include="long", context_lines=0)
    assert "45 lines match: docs/long.txt (45). Here are 1 to 20." in first.text
    assert first.text.endswith("For more: offset=20.")
    last = await call("grep_files", pattern="row", offset=40)
    assert "Here are 41 to 45." in last.text
    assert "For more" not in last.text
    assert "none behind the first 100" in (await call("grep_files", pattern="row", offset=100)).text


async def test_no_match_says_what_else_to_try(call: Calling, files: dict[str, str]) -> None:
    assert "semantic_search_files" in (await call("grep_files", pattern="unicorn")).text
    assert "grep_files" in (await call("semantic_search_files", query="unicorn")).text


@pytest.mark.parametrize(
    "wrong", [{"pattern": ""}, {"pattern": "x" * 501}, {"pattern": "x", "context_lines": 21}, {"pattern": "x", "offset": -1}]
)
async def test_a_wrong_grep_is_refused(call: Calling, files: dict[str, str], wrong: dict[str, object]) -> None:
    assert (await call("grep_files", **wrong)).status == "error"


async def test_passages_of_files_are_found_with_their_place(call: Calling, files: dict[str, str]) -> None:
    result = await call("semantic_search_files", query="which hose")
    assert result.text == "docs/garden.md lines 3 to 3\nThe hose leaks."
    assert (await call("semantic_search_files", query="")).status == "error"
    assert (await call("semantic_search_files", query="x", limit=51)).status == "error"


def test_a_view_counts_its_lines() -> None:
    assert view_of("a", "", limit_chars=100).text == "[empty]"
    assert view_of("a", "one", limit_chars=100).text == "[all 1 lines]\n1: one"
    assert view_of("a", "x" * 500, limit_chars=50).text == f"[all 1 lines]\n1: {'x' * 47} [...]"
    assert view_of("a", "one\ntwo", limit_chars=100, offset=7).text == "[empty]"


def test_a_document_is_cut_at_its_headings_and_paragraphs() -> None:
    text = "# One\n\nfirst\n\n## Two\n\nsecond\n```\n# no heading\n```\n"
    assert [(each.heading, each.first_line, each.text.split("\n")[0]) for each in chunks_of(text)] == [
        ("One", 1, "# One"),
        ("Two", 5, "## Two"),
    ]


def test_pieces_overlap_and_none_is_too_long() -> None:
    text = "\n".join(f"This is sentence number {n} of a long text." for n in range(400))
    pieces = list(chunks_of(text, tokens=100, overlap_tokens=20))
    assert all(len(each.text) <= 400 for each in pieces)
    for before, after in pairwise(pieces):
        assert before.first_line < after.first_line <= before.last_line
    assert {line for each in pieces for line in each.text.split("\n")} == set(text.split("\n"))


@pytest.mark.parametrize("text", ["word " * 5_000, "x" * 20_000, "\n" * 500, "", "a\n\n\n\nb"])
def test_no_text_is_too_odd_to_be_cut(text: str) -> None:
    pieces = list(chunks_of(text, tokens=50, overlap_tokens=10))
    assert all(0 < len(each.text.strip()) <= 201 for each in pieces)
    assert sum(each.text.count("x") for each in pieces) >= text.count("x")
