"""A forward pass recorded as a CUDA graph: one launch instead of some hundred. Only the encoder imports this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from pagemind.model.buckets import Shape
from pagemind.model.graphs import Vectors
from pagemind.model.padded import fill, rows_of

WARM_PASSES = 3
"""Before the recording: libraries choose kernels and allocate workspaces at first calls, which may not be recorded."""

Forward = Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]
"""Ids, mask (both rows x width) and whether any row is padded; gives the unit vectors."""

# torch.cuda is typed in part only.
cuda: Any = torch.cuda


class Recorder:
    """Records passes on a stream of high priority, so that a query need not queue behind bulk; all share one memory pool.

    They may share it because they run on one stream, one after the other, and each output is copied off before the next.
    """

    def __init__(self, forward: Forward, device: torch.device, pad: int) -> None:
        self._forward = forward
        self._device = device
        self._pad = pad
        self._stream: Any = cuda.Stream(device, priority=-1)
        self._pool: Any = cuda.graph_pool_handle()

    def __call__(self, shape: Shape) -> Recorded:
        """Record one shape. Raises ``RuntimeError`` where the model does what a graph cannot hold."""
        return Recorded(self._forward, shape, self._device, self._pad, self._stream, self._pool)


class Recorded:
    """One recorded shape: fixed buffers in, a replay, a copy out."""

    def __init__(self, forward: Forward, shape: Shape, device: torch.device, pad: int, stream: Any, pool: Any) -> None:
        self._rows, self._pad, self._stream = shape.rows, pad, stream
        self._host = torch.zeros((2, shape.rows, shape.width), dtype=torch.long).pin_memory()
        fill(self._host.numpy(), [], pad)
        self._input = self._host.to(device)
        self._done: Any = cuda.Event()
        stream.wait_stream(cuda.current_stream(device))
        with cuda.stream(stream):
            for _ in range(WARM_PASSES):
                forward(self._input[0], self._input[1], True)
        stream.synchronize()
        self._graph: Any = cuda.CUDAGraph()
        with cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            self._output = forward(self._input[0], self._input[1], True)

    def __call__(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Start a batch of at most the shape's rows and width."""
        # The buffers are one set: what was started before must have read them. An event never recorded is done.
        self._done.synchronize()
        fill(self._host.numpy(), batch, self._pad)
        with cuda.stream(self._stream):
            self._input.copy_(self._host, non_blocking=True)
            self._graph.replay()
            result = copied_off(self._output)
            self._done.record(self._stream)
        return collected(result, self._done_now(), len(batch))

    def _done_now(self) -> Any:
        """An event of this batch alone: ``_done`` is recorded again by the next."""
        event: Any = cuda.Event()
        event.record(self._stream)
        return event


def copied_off(vectors: torch.Tensor) -> torch.Tensor:
    """A pinned copy on the host, complete once the current stream has come so far."""
    host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
    return host.copy_(vectors, non_blocking=True)


def collected(host: torch.Tensor, event: Any, rows: int) -> Vectors:
    """What waits for the event (other threads run meanwhile) and reads the first rows."""

    def vectors() -> list[list[float]]:
        event.synchronize()
        return rows_of(host[:rows])

    return vectors
