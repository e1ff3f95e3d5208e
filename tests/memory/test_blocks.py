from __future__ import annotations

import contextlib
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pagemind.errors import (
    BadArgument,
    BlockFull,
    BlockOfConfig,
    BlockReadOnly,
    TextAmbiguous,
    TextNotFound,
    ToolRefusal,
)
from pagemind.memory.blocks import apply_edit, effect_words
from pagemind.records import Append, Block, Edit, Insert, Replace, Revert, Rewrite

texts = st.text(alphabet="ab \né🦊", max_size=30)
edits = st.one_of(
    st.builds(Append, texts),
    st.builds(Replace, texts, texts),
    st.builds(Insert, texts, st.integers(-3, 9)),
    st.builds(Rewrite, texts),
    st.builds(Revert, texts, st.integers(1, 9)),
)


def block(value: str = "", *, limit: int = 1000, read_only: bool = False, owner: str = "agent") -> Block:
    return Block(tenant_id=uuid4(), label="human", value=value, limit_chars=limit, read_only=read_only, owner=owner)


@pytest.mark.parametrize(
    ("value", "edit", "expected"),
    [
        ("", Append("a"), "a"),
        ("a", Append("b"), "a\nb"),
        ("a\n", Append("b"), "a\nb"),
        ("a", Append("\nb\n"), "a\nb"),
        ("a b c", Replace("b", "x"), "a x c"),
        ("a b c", Replace(" b", ""), "a c"),
        ("a\nb", Insert("x", 0), "x\na\nb"),
        ("a\nb", Insert("x", 1), "a\nx\nb"),
        ("a\nb", Insert("x"), "a\nb\nx"),
        ("a\nb\n", Insert("x"), "a\nb\nx\n"),
        ("", Insert("x", 0), "x"),
        ("a", Rewrite("b"), "b"),
        ("a", Revert("b", 3), "b"),
    ],
)
def test_an_edit_gives_this_value(value: str, edit: Edit, expected: str) -> None:
    assert apply_edit(block(value), edit, by_agent=True) == expected


@pytest.mark.parametrize(
    ("value", "edit", "refusal"),
    [
        ("a", Replace("b", "c"), TextNotFound),
        ("a a", Replace("a", "c"), TextAmbiguous),
        ("aaa", Replace("aa", "c"), TextAmbiguous),
        ("a", Replace("", "c"), BadArgument),
        ("a", Append(" \n"), BadArgument),
        ("a", Insert("x", 2), BadArgument),
        ("a", Insert("x", -2), BadArgument),
        ("a", Rewrite("x" * 11), BlockFull),
        ("a" * 10, Append("b"), BlockFull),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(value: str, edit: Edit, refusal: type[ToolRefusal]) -> None:
    with pytest.raises(refusal):
        apply_edit(block(value, limit=10), edit, by_agent=True)


def test_a_person_may_edit_what_is_read_only_for_the_agent() -> None:
    with pytest.raises(BlockReadOnly):
        apply_edit(block("a", read_only=True), Append("b"), by_agent=True)
    assert apply_edit(block("a", read_only=True), Append("b"), by_agent=False) == "a\nb"


def test_a_block_of_the_configuration_is_refused_to_everybody() -> None:
    with pytest.raises(BlockReadOnly):
        apply_edit(block("a", owner="config"), Append("b"), by_agent=True)
    with pytest.raises(BlockOfConfig, match="pagemind apply"):
        apply_edit(block("a", owner="config"), Append("b"), by_agent=False)


def test_a_block_over_a_limit_set_later_may_still_be_shortened() -> None:
    assert apply_edit(block("a" * 30, limit=10), Rewrite("a" * 20), by_agent=True) == "a" * 20


@given(texts, edits, st.integers(0, 40))
def test_an_edit_keeps_the_limit_and_leaves_the_block_alone(value: str, edit: Edit, limit: int) -> None:
    assume(len(value) <= limit)
    edited = block(value, limit=limit)
    with contextlib.suppress(ToolRefusal):
        assert len(apply_edit(edited, edit, by_agent=True)) <= limit
    assert (edited.value, edited.revision) == (value, 1)


@given(texts, texts)
def test_what_is_appended_ends_the_block_and_what_was_there_begins_it(value: str, text: str) -> None:
    assume(text.strip())
    result = apply_edit(block(value), Append(text), by_agent=True)
    assert result.startswith(value)
    assert result.endswith(text.strip("\n"))
    assert len(result) <= len(value) + len(text) + 1


@given(texts, st.text("xyz", min_size=1), texts, texts)
def test_a_replacement_leaves_everything_around_it(before: str, old: str, after: str, new: str) -> None:
    value = before + old + after
    replaced = apply_edit(block(value), Replace(old, new), by_agent=True)
    assert replaced == before + new + after


@given(texts, st.text("xyz", min_size=1), st.integers(-1, 5))
def test_taking_an_inserted_line_out_again_gives_what_was_there(value: str, line: str, at: int) -> None:
    try:
        result = apply_edit(block(value), Insert(line, at), by_agent=True)
    except BadArgument:
        return
    lines = result.split("\n")
    lines.remove(line)
    assert "\n".join(lines) == value


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("", "a", "+1 line"),
        ("a", "a\nb\nc", "+2 lines"),
        ("a\nb\nc", "", "-3 lines"),
        ("a\nb\nc", "a\nx\ny", "2 lines changed"),
        ("a\nb", "a\nx\ny", "1 line changed, +1 line"),
        ("a", "a", "no change"),
        ("a", "a\n", "no change"),
    ],
)
def test_effect_words_say_what_changed(old: str, new: str, words: str) -> None:
    assert effect_words(old, new) == words
