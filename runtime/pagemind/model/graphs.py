"""Recorded passes by shape, and what happens where a model cannot be recorded. Nothing here imports torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pagemind.model.buckets import Shape

Vectors = Callable[[], list[list[float]]]
"""Waits for a batch that was started, and gives its unit vectors."""
Replay = Callable[[Sequence[Sequence[int]]], Vectors]
"""Starts a batch that fits into the recorded shape."""

log = logging.getLogger(__name__)


class Graphs:
    """Records each shape at its first use and keeps it; after one failure nothing is recorded or replayed again."""

    def __init__(self, record: Callable[[Shape], Replay]) -> None:
        self._record = record
        self._recorded: dict[Shape, Replay] = {}
        self._usable = True

    def find(self, shape: Shape | None) -> Replay | None:
        """The recorded pass of this shape; None: run the batch without."""
        if shape is None or not self._usable:
            return None
        if shape not in self._recorded:
            self._try(shape)
        return self._recorded.get(shape)

    def _try(self, shape: Shape) -> None:
        try:
            self._recorded[shape] = self._record(shape)
        except (RuntimeError, NotImplementedError, ValueError) as error:
            self._usable = False
            self._recorded.clear()
            reason = (str(error).splitlines() or [""])[0][:300]
            log.warning("the embedder's model cannot be recorded as a CUDA graph, it runs without: %s", reason)
