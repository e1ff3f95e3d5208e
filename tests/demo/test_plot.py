"""The plot shows the highest value of each column, and where the marks are."""

from __future__ import annotations

from pagemind.cli.plot import plot


def test_a_plot_in_letters() -> None:
    assert plot([1, 2, 4, 2], top=4, marks=[3], height=4, ascii_only=True) == [
        "4 |  #",
        "  |  #",
        "  | ###",
        "1 |####",
        "0 +----",
        "      ^",
    ]


def test_bars_have_eight_steps_a_line() -> None:
    assert plot([0.5, 1.0, 0.0], top=1, height=1) == ["1 │▄█", "0 └───"]


def test_a_column_shows_the_highest_of_its_values() -> None:
    assert plot([0, 1, 0, 0], top=1, width=2, height=1, marks=[1]) == ["1 │█", "0 └──", "   ▲"]


def test_nothing_gives_no_plot() -> None:
    assert plot([], top=8) == []
