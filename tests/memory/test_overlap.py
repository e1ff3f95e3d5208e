"""How alike two rankings are, and how sure their mean is."""

from __future__ import annotations

import statistics
from uuid import UUID

import pytest

from pagemind.memory.overlap import first_sentence, mean_of, overlap


def ids(*numbers: int) -> list[UUID]:
    return [UUID(int=number) for number in numbers]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (ids(1, 2, 3), ids(3, 2, 1), 1.0),
        (ids(1, 2, 3, 4), ids(1, 2, 5, 6), 0.5),
        (ids(1, 2), ids(1, 2, 3, 4), 0.5),
        (ids(*range(1, 21)), ids(*range(6, 26)), 0.5),
        (ids(1), [], 0.0),
        ([], [], 1.0),
    ],
)
def test_overlap_is_the_share_of_the_best_ten_that_both_have(one: list[UUID], other: list[UUID], expected: float) -> None:
    assert overlap(one, other) == expected


def test_the_interval_of_a_mean_is_about_two_standard_errors_to_each_side() -> None:
    values = [n % 11 / 10 for n in range(200)]
    mean = mean_of(values)
    error = statistics.pstdev(values) / len(values) ** 0.5
    assert mean.value == pytest.approx(statistics.mean(values))
    assert mean.low == pytest.approx(mean.value - 1.96 * error, abs=0.3 * error)
    assert mean.high == pytest.approx(mean.value + 1.96 * error, abs=0.3 * error)
    assert mean_of(values) == mean
    assert mean_of([0.3]).low == mean_of([0.3]).high == 0.3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "One."),
        ("  First line\nsecond", "First line"),
        ("Version 1.2 is out! Yes", "Version 1.2 is out!"),
        (" ", ""),
    ],
)
def test_a_first_sentence_ends_where_it_ends(text: str, expected: str) -> None:
    assert first_sentence(text) == expected
