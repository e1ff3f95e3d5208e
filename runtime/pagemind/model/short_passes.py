"""Short passes on a CPU, as a query is: through a traced graph, on one thread. Imported where torch is.

A pass over ten tokens is so short that Python takes a good third of it, which a traced graph leaves out. And a second thread
gains a millisecond where nothing else runs, but loses tens where the database needs its core: each of some forty matrix
products waits for the slower of the two.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pagemind.model.cuda_graphs import Forward
from pagemind.model.passes import uneven

SHORT_TOKENS = 64
"""Beyond it a second thread gains more than it may lose."""
CHECKED_LENGTHS = (2, 13, SHORT_TOKENS)
TOLERANCE = 1e-3
"""How far a traced pass may be from a plain one, in any component of a unit vector."""

Short = Callable[[torch.Tensor], torch.Tensor]
jit: Any = torch.jit  # typed in part only

log = logging.getLogger(__name__)


def is_short(batch: Sequence[Sequence[int]]) -> bool:
    """Whether a batch has few tokens and none of padding."""
    return 0 < sum(map(len, batch)) <= SHORT_TOKENS and not uneven(batch)


def short_pass(forward: Forward, vocabulary: int, longest: int) -> Short:
    """The pass over token ids without padding: traced, if that computes the same at every length, else as it is."""

    def plain(ids: torch.Tensor) -> torch.Tensor:
        return forward(ids, torch.ones_like(ids), False)

    examples = [torch.arange(length).unsqueeze(0) % vocabulary for length in CHECKED_LENGTHS if length <= longest]
    try:
        traced = trace(plain, examples[len(examples) // 2])
        if all(bool(torch.allclose(traced(ids), plain(ids), rtol=0, atol=TOLERANCE)) for ids in examples):
            return traced
        reason = "its shape depends on the length"
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [""])[0][:300]
    log.info("the embedder's model is not traced: %s", reason)
    return plain


@torch.inference_mode()
def trace(plain: Short, example: torch.Tensor) -> Short:
    """The pass as a graph."""
    with warnings.catch_warnings():
        # Each number that it takes for a constant is warned of; whether one was none is checked with other lengths.
        warnings.simplefilter("ignore")
        traced: Any = jit.trace(plain, example, check_trace=False)
    return torch.inference_mode()(traced)


@contextmanager
def one_thread() -> Generator[None]:
    """Compute on this thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
