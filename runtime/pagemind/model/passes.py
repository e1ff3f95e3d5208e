"""A forward pass over a batch of rows: padded, brought to the device, its result fetched. Imported where torch is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pagemind.model.buckets import bulk_width
from pagemind.model.cuda_graphs import Forward, collected, copied_off
from pagemind.model.graphs import Vectors
from pagemind.model.padded import padded, rows_of


def passed(forward: Forward, batch: Sequence[Sequence[int]], pad: int, device: torch.device) -> Vectors:
    """Begin with a batch: on a GPU this returns once the work is queued, on a CPU when it is done."""
    longest_row = max(1, *map(len, batch))
    if device.type != "cuda":
        both = padded(batch, longest_row, pad)
        vectors = forward(both[0], both[1], uneven(batch))
        return lambda: rows_of(vectors)
    width = bulk_width(longest_row)
    both = padded(batch, width, pad).pin_memory().to(device, non_blocking=True)
    host = copied_off(forward(both[0], both[1], uneven(batch) or width > len(batch[0])))
    event: Any = torch.cuda.Event()
    event.record()
    return collected(host, event, len(batch))


def uneven(batch: Sequence[Sequence[int]]) -> bool:
    """Whether the rows differ in length."""
    return len({len(row) for row in batch}) > 1
