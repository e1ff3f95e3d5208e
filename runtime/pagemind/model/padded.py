"""Rows of token ids as one padded array, and vectors as lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def padded(batch: Sequence[Sequence[int]], width: int, pad: int) -> torch.Tensor:
    """Ids and mask, 2 x rows x ``width``, filled up on the right."""
    both = torch.empty((2, len(batch), width), dtype=torch.long)
    fill(both.numpy(), batch, pad)
    return both


def fill(both: Any, batch: Sequence[Sequence[int]], pad: int) -> None:
    """Write ids and mask into the array of ``padded``'s shape; rows that the batch lacks see one token of padding.

    A row that saw nothing at all would be a softmax over nothing: NaN.
    """
    both[0], both[1] = pad, 0
    both[1, :, 0] = 1
    for at, row in enumerate(batch):
        both[0, at, : len(row)] = row
        both[1, at, : len(row)] = 1


def rows_of(vectors: torch.Tensor) -> list[list[float]]:
    """Lists of floats, made row by row: one call for all would keep the event loop's thread waiting for tens of ms."""
    array: Any = vectors.numpy()
    return [row.tolist() for row in array]
