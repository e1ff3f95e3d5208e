"""Which shapes a batch is padded to on a device that replays recorded passes. Pure; nothing here imports torch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""From 32 tokens on each is at most half as long again as the one before: at most a third of a row is padding."""
ROWS = (1, 2, 4, 8)
"""Larger batches keep the device busy by themselves: what launching them costs no longer shows."""
WARM_WIDTHS = (16, 32, 48, 64)
"""Widths of most queries: recorded before the first one comes."""
BULK_MULTIPLE = 8
"""Bulk widths are multiples of it: 16 bytes of bf16, which attention kernels want a mask's rows to be aligned to."""


@dataclass(frozen=True)
class Shape:
    """Rows and tokens a row of a padded batch."""

    rows: int
    width: int


def graph_shape(rows: int, longest: int) -> Shape | None:
    """The smallest shape on the ladders that holds the batch; None where it is too large to be worth recording."""
    at_rows, at_width = bisect_left(ROWS, rows), bisect_left(WIDTHS, longest)
    if at_rows == len(ROWS) or at_width == len(WIDTHS):
        return None
    return Shape(ROWS[at_rows], WIDTHS[at_width])


def warm_shapes(longest: int) -> list[Shape]:
    """What one query takes, for a model that reads at most ``longest`` tokens."""
    return [Shape(1, width) for width in WARM_WIDTHS if width <= longest]


def bulk_width(longest: int) -> int:
    """The width of a large batch: the longest row, rounded up to ``BULK_MULTIPLE``."""
    return -(-max(longest, 1) // BULK_MULTIPLE) * BULK_MULTIPLE


def waste(lengths: Sequence[int], shape: Shape) -> float:
    """The share of a padded batch's tokens that are padding."""
    return 1 - sum(lengths) / (shape.rows * shape.width)
