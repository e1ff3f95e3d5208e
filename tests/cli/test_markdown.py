import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from pagemind.cli.markdown import BlockSplitter

LINES = st.sampled_from(
    [
        "",
        "words here",
        "```",
        "```python",
        "    ```",
        "~~~",
        "````",
        "- item",
        "  more of it",
        "1. first",
        "# Title",
        "| a | b |",
        "|---|",
        "\t",
    ]
)
TEXTS = st.lists(LINES | st.text(max_size=12), max_size=25).map("\n".join)


def blocks_of(pieces: list[str]) -> list[str]:
    splitter = BlockSplitter()
    blocks: list[str] = []
    for piece in pieces:
        blocks += splitter.feed(piece)
    return blocks + splitter.finish()


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(edges)] or [text]


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=30))
def test_no_character_is_lost_however_the_text_was_cut(text: str, places: list[int]) -> None:
    splitter = BlockSplitter()
    seen = ""
    for piece in cut(text, places):
        seen += "".join(splitter.feed(piece))
        assert text.startswith(seen + splitter.rest)
    assert seen + "".join(splitter.finish()) == text


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=30))
def test_the_blocks_do_not_depend_on_the_pieces(text: str, places: list[int]) -> None:
    assert blocks_of(cut(text, places)) == blocks_of([text])


@given(
    st.lists(st.sampled_from(["a", "", "- x", "  y", "# z"]), max_size=8), st.lists(st.text("ab#-| \n", max_size=9), max_size=9)
)
def test_a_fence_is_never_split(before: list[str], inside: list[str]) -> None:
    code = "```python\n" + "".join(f"{line}\n" for line in inside) + "```\n"
    text = "\n".join([*before, code]) + "\nafter\n\n"
    assert any(code in block for block in blocks_of([text]))


def test_paragraphs_headings_lists_and_tables_are_blocks() -> None:
    text = "# Title\nOne\ntwo.\n\n- a\n\n  more\n- b\n\n| x |\n|---|\n| 1 |\n\nBye"
    assert blocks_of([text]) == ["# Title\n", "One\ntwo.\n\n", "- a\n\n  more\n- b\n\n", "| x |\n|---|\n| 1 |\n\n", "Bye"]


def test_a_paragraph_is_finished_before_the_fence_that_follows_it() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("Look:\n```\ncode\n") == ["Look:\n"]
    assert re.fullmatch(r"```\ncode\n", splitter.rest)


def test_a_block_is_given_back_as_soon_as_it_is_finished() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("Hello") == []
    assert splitter.feed(".\n\nAnd") == ["Hello.\n\n"]
    assert splitter.rest == "And"
