"""Documents are cut where they have joints; no piece is too long and no word is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from pagemind.memory.chunks import chunks_of

WORD = re.compile(r"\S+")


def words(texts: Sequence[str]) -> list[int]:
    """One token a word."""
    return [len(WORD.findall(text)) for text in texts]


def test_a_piece_ends_at_a_heading_and_knows_its_lines() -> None:
    text = "Before.\n\n# Garden\n\nFigs ripen.\nThe spade is green.\n\n## Hose\nIt leaks.\n"
    pieces = [(each.heading, each.text, each.first_line, each.last_line) for each in chunks_of(text)]
    assert pieces == [
        ("", "Before.", 1, 2),
        ("Garden", "# Garden\n\nFigs ripen.\nThe spade is green.", 3, 7),
        ("Hose", "## Hose\nIt leaks.", 8, 10),
    ]


def test_what_looks_like_a_heading_in_code_is_none() -> None:
    [piece] = chunks_of("# Build\n```sh\n# not a heading\nmake\n```\n")
    assert piece.heading == "Build"


def test_pieces_are_measured_in_the_tokens_that_are_counted() -> None:
    text = "\n".join(f"{n} " + "word " * 9 for n in range(40))
    pieces = list(chunks_of(text, tokens=35, overlap_tokens=15, count=words))
    assert [(each.first_line, each.last_line) for each in pieces[:3]] == [(1, 3), (3, 5), (5, 7)]
    assert max(words([each.text for each in pieces])) == 30


@given(st.text(alphabet=st.sampled_from("ab #\n`é😀"), max_size=400), st.integers(1, 20))
def test_no_word_is_lost_and_no_piece_of_several_words_is_too_long(text: str, tokens: int) -> None:
    pieces = list(chunks_of(text, tokens=tokens, overlap_tokens=2, count=words))
    assert all(counted <= tokens for counted in words([each.text for each in pieces]))
    # Words may be cut in two, nothing else is between the letters.
    assert set("".join(text.split())) == set("".join("".join(each.text for each in pieces).split()))
    assert all(1 <= each.first_line <= each.last_line <= text.count("\n") + 1 for each in pieces)


def test_a_line_without_a_space_is_cut_by_its_letters() -> None:
    # One word to the counter, as a coded picture is to some tokenizers.
    pieces = list(chunks_of("A" * 10_000, tokens=20, count=words))
    assert "".join(each.text for each in pieces) == "A" * 10_000
    assert max(len(each.text) for each in pieces) <= 20 * 16


def test_a_line_of_megabytes_is_cut_in_linear_time() -> None:
    began = perf_counter()
    pieces = list(chunks_of("lorem ipsum " * 200_000, tokens=240))
    assert len(pieces) > 2_000
    assert perf_counter() - began < 20
