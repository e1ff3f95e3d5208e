from __future__ import annotations

from pathlib import Path

import pytest

from pagemind.toolbox.registry import load_tools


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


DICE = '''
import random

def roll(sides: int = 6) -> int:
    """Roll a die."""
    return random.randint(1, sides)

double = lambda n: n * 2

def _helper() -> None:
    """Not for models."""
'''
TWO = '''
from __future__ import annotations
from pagemind.toolbox import tool

@tool
def send(text: str) -> str:
    """Send it."""
    return text

@tool(effect="idempotent")
def put(text: str) -> str:
    """Put it."""
    return text

def helper() -> None:
    """Not a tool: others here are marked."""
'''


def test_a_plain_function_in_a_dropped_file_is_a_tool(tmp_path: Path) -> None:
    write(tmp_path / "dice.py", DICE)
    registry = load_tools([tmp_path])
    assert list(registry) == ["roll"]
    assert registry["roll"].effect == "at_most_once"
    assert registry.problems == ()


def test_in_a_file_with_marks_only_the_marked_functions_are_tools(tmp_path: Path) -> None:
    write(tmp_path / "two.py", TWO)
    registry = load_tools([tmp_path])
    assert {name: registry[name].effect for name in registry} == {"send": "at_most_once", "put": "idempotent"}


def test_the_home_folder_replaces_a_shipped_tool_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "shipped" / "dice.py", DICE)
    mine = write(tmp_path / "home" / "mine.py", DICE.replace("Roll a die.", "Mine."))
    registry = load_tools([tmp_path / "shipped", tmp_path / "home"])
    assert (registry["roll"].schema.description, registry["roll"].path) == ("Mine.", mine)


def test_of_two_tools_of_one_name_in_a_folder_the_second_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "a.py", DICE)
    write(tmp_path / "b.py", DICE)
    registry = load_tools([tmp_path])
    assert registry["roll"].path.name == "a.py"
    assert [str(problem) for problem in registry.problems] == [
        f"{tmp_path / 'b.py'}:4: a.py has a tool roll too. Fix: rename one of them."
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("import os\n\nimport no_such_module\n", 3, "no_such_module"),
        ("\n1 / 0\n", 2, "ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
        ("\n\ndef bare(x):\n    '''Doc.'''\n", 3, "annotate it, for instance `x: str`"),
        ("\ndef bare(x: str):\n    return x\n", 2, "add a docstring"),
        ("x = '\ud800'\n", 1, "Fix:"),
    ],
)
def test_a_broken_file_is_a_problem_with_its_line_and_stops_nothing(tmp_path: Path, text: str, line: int, words: str) -> None:
    (tmp_path / "bad.py").write_bytes(text.encode("utf-8", "surrogatepass"))
    write(tmp_path / "dice.py", DICE)
    registry = load_tools([tmp_path])
    assert list(registry) == ["roll"]
    [problem] = registry.problems
    assert str(problem).startswith(f"{tmp_path / 'bad.py'}:{line}: ")
    assert words in problem.message


def test_a_file_that_comes_changes_or_goes_shows_at_the_next_look(tmp_path: Path) -> None:
    empty = load_tools([tmp_path])
    assert empty.refreshed() is empty
    dice = write(tmp_path / "dice.py", DICE)
    one = empty.refreshed()
    assert list(one) == ["roll"]
    assert one.refreshed() is one
    write(dice, DICE.replace("Roll a die.", "Roll it, do!"))
    assert one.refreshed()["roll"].schema.description == "Roll it, do!"
    dice.unlink()
    assert list(one.refreshed()) == []


def test_a_file_that_did_not_change_is_not_loaded_again(tmp_path: Path) -> None:
    write(tmp_path / "dice.py", DICE)
    before = load_tools([tmp_path])
    write(tmp_path / "two.py", TWO)
    assert before.refreshed()["roll"] is before["roll"]


def test_a_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert len(load_tools([tmp_path / "none"])) == 0


def test_loading_leaves_no_byte_code_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "dice.py", DICE)
    load_tools([tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["dice.py"]
