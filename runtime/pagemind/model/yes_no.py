"""Qwen3-Reranker: a language model that says whether a document answers a query. Imported where torch is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear

from pagemind.model.checkpoint import read_json, read_tokenizer
from pagemind.model.embedder import Kind
from pagemind.model.encoder import last_token
from pagemind.model.reranker import Pair
from pagemind.model.scorer import Scorer, cut, pair_limit

# The prompt that these models were trained with, as their cards give it: every character counts.
BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
TASK = "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: "
BETWEEN = "\n<Document>: "
AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
SLACK_TOKENS = 8
"""Where texts meet the words around them, tokens may fall otherwise than in the texts alone."""


class YesNo(Scorer):
    """The published prompt, then the softmax over the logits of ``yes`` and ``no`` behind its last token.

    That is the sigmoid of their difference, and the difference is one linear map: the language model's own rows for the two
    tokens, or the head of a model that was converted to a sequence classifier. The cards pad on the left; behind a causal
    attention padding on the right, with the last token picked out, gives the same and needs no mask.
    """

    def __init__(self, folder: Path, model: Any, device: torch.device, pair_tokens: int) -> None:
        super().__init__(device, int(model.config.pad_token_id or 0))
        self._body: Any = model.base_model
        self._tokenizer = read_tokenizer(folder)
        self._head = (model.score.weight if hasattr(model, "score") else difference(folder, model, self._tokenizer)).float()
        self._before, self._after = self._ids(BEFORE), self._ids(AFTER)
        # Marks that stand in a text are text: nobody's memory ends the turn and answers by itself.
        self._tokenizer.encode_special_tokens = True
        around = len(self._before) + len(self._after) + len(self._ids(TASK + BETWEEN)) + SLACK_TOKENS
        self._limit = pair_limit(folder, model, pair_tokens) - around
        if self._limit < 2:
            raise ValueError(f"it reads {self._limit + around} tokens, and the prompt alone has {around}")

    def tokenize(self, pairs: Sequence[Pair], kind: Kind, /) -> list[list[int]]:
        """A prompt for each pair; of one that is too long the longer text is cut, then both."""
        asked = self._tokenizer.encode_batch([TASK + BETWEEN.join(self._shortened(pair)) for pair in pairs])
        return [[*self._before, *each.ids, *self._after] for each in asked]

    def _shortened(self, pair: Pair) -> list[str]:
        texts = [cut(text, self._limit) for text in pair]
        # No token is less than a byte: short texts need no count.
        if sum(len(text.encode()) for text in texts) <= self._limit:
            return texts
        tokens = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        keep = longest_first(len(tokens[0]), len(tokens[1]), self._limit)
        return [
            text if kept == len(each) else text[: each.offsets[kept - 1][1]]
            for text, each, kept in zip(texts, tokens, keep, strict=True)
        ]

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    @torch.inference_mode()
    def _forward(self, rows: torch.Tensor, mask: torch.Tensor, any_padding: bool, /) -> torch.Tensor:
        hidden = self._body(input_ids=rows, use_cache=False).last_hidden_state
        return linear(last_token(hidden, mask).float(), self._head).sigmoid()


def difference(folder: Path, model: Any, tokenizer: Any) -> torch.Tensor:
    """The language model's row for ``yes`` less that for ``no``, 1 x hidden. ValueError where it has no such tokens."""
    yes, no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
    if yes is None or no is None:
        raise ValueError("its vocabulary has no tokens yes and no")
    stated = read_json(folder / "1_LogitScore" / "config.json")
    if stated and (stated.get("true_token_id"), stated.get("false_token_id")) != (yes, no):
        raise ValueError("it scores by other tokens than yes and no")
    weight = model.get_output_embeddings().weight.float()
    return (weight[yes] - weight[no]).unsqueeze(0)


def longest_first(first: int, second: int, limit: int) -> tuple[int, int]:
    """How many tokens of two texts stay where ``limit`` fit: the longer one is cut first, and where that does not do, both."""
    if first + second <= limit:
        return first, second
    half = limit // 2
    if min(first, second) <= half:
        return (first, limit - first) if first <= second else (limit - second, second)
    return limit - half, half
