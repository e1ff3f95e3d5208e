"""What scorers of pairs have in common: their device, their batches, how much they read. Imported where torch is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pagemind.model.checkpoint import LONGEST, read_json, sound
from pagemind.model.embedder import Kind
from pagemind.model.graphs import Vectors
from pagemind.model.passes import passed
from pagemind.model.reranker import Pair

CPU_BATCH_TOKENS = 512
"""The deadline is looked at between batches, and a CPU takes tens of ms for one like this by a small model."""
CUDA_BATCH_TOKENS = 65_536
CHARS_PER_TOKEN = 16
"""More than that a token rarely holds: what stands behind so many is cut off before it costs time."""


class OnDevice:
    """A model on its device, and how much of it is computed at a time. Used from one thread."""

    batches_ahead = 0

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        return self._device.type == "cpu"

    @property
    def most_batch_tokens(self) -> int:
        """The largest batch that still gains speed on this device."""
        return CPU_BATCH_TOKENS if self.on_cpu else CUDA_BATCH_TOKENS


class Scorer(OnDevice, ABC):
    """Pairs in, a score from 0 to 1 for each out, as rows of one number."""

    def __init__(self, device: torch.device, pad: int) -> None:
        super().__init__(device)
        self._pad = pad

    @abstractmethod
    def tokenize(self, pairs: Sequence[Pair], kind: Kind, /) -> list[list[int]]:
        """A row of numbers for each pair, cut to what the model reads."""

    def start(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Begin with a batch: on a GPU this returns once the work is queued, on a CPU when it is done."""
        return passed(self._forward, batch, self._pad, self._device)

    @abstractmethod
    def _forward(self, rows: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        """The scores, rows x 1, of rows that are padded on the right."""


def pair_limit(folder: Path, model: Any, pair_tokens: int) -> int:
    """The longest pair in tokens: what is asked for, if model and tokenizer take as much.

    RoBERTa's family counts positions from behind its padding's id, which leaves fewer than the configuration says.
    """
    stated = read_json(folder / "tokenizer_config.json").get("model_max_length") or LONGEST
    positions = int(getattr(model.config, "max_position_embeddings", LONGEST))
    embeddings = getattr(model.base_model, "embeddings", None)
    taken = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return int(min(pair_tokens, stated, positions if taken is None else positions - taken - 1))


def cut(text: str, limit_tokens: int) -> str:
    """The text as a tokenizer takes it, without what would be cut off anyway."""
    return sound(text[: CHARS_PER_TOKEN * limit_tokens])
