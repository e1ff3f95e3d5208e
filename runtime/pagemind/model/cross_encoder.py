"""Cross-encoders with one label: MiniLM and other BERTs, BGE-reranker and other XLM-RoBERTas. Imported where torch is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pagemind.model.checkpoint import read_tokenizer
from pagemind.model.embedder import Kind
from pagemind.model.reranker import Pair
from pagemind.model.scorer import Scorer, cut, pair_limit


class CrossEncoder(Scorer):
    """The pair as the tokenizer joins two texts, then the sigmoid of the one logit.

    A row's numbers are twice the token's id, and one more in the second text, which BERT tells apart from the first.
    """

    def __init__(self, folder: Path, model: Any, device: torch.device, pair_tokens: int) -> None:
        if hasattr(model, "score"):
            raise ValueError(f"how a {model.config.model_type} wants its pairs to be written is not known")
        super().__init__(device, 2 * int(model.config.pad_token_id or 0))
        self._model = model
        self._limit = pair_limit(folder, model, pair_tokens)
        self._tells_apart = int(getattr(model.config, "type_vocab_size", 0) or 0) > 1
        self._tokenizer = read_tokenizer(folder)
        self._tokenizer.enable_truncation(self._limit, strategy="longest_first")
        # Marks that stand in a text are text.
        self._tokenizer.encode_special_tokens = True

    def tokenize(self, pairs: Sequence[Pair], kind: Kind, /) -> list[list[int]]:
        """A row for each pair; of one that is too long the longer text is cut, then both."""
        joined = self._tokenizer.encode_batch_fast([(cut(query, self._limit), cut(text, self._limit)) for query, text in pairs])
        return [[2 * token + second for token, second in zip(each.ids, each.type_ids, strict=True)] for each in joined]

    @torch.inference_mode()
    def _forward(self, rows: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        sides: dict[str, torch.Tensor] = {"token_type_ids": rows % 2} if self._tells_apart else {}
        found = self._model(input_ids=rows // 2, attention_mask=mask if any_padding else None, **sides)
        return found.logits.float().sigmoid()
