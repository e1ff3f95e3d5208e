"""A tiny encoder with random weights, to have a second embedding model of other dimensions at hand without fetching one."""

# The libraries' own annotations are partial.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

from pagemind.model import weights

DIMENSIONS = 32


def build_encoder(folder: Path, *, seed: int = 7, layers: int = 1, dimensions: int = DIMENSIONS) -> Path:
    """Save a BERT of random weights, the same each time, with the tokenizer of all-MiniLM-L6-v2; the folder.

    Its mean over words' random vectors finds texts that share words, and understands nothing.
    """
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=dimensions,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * dimensions,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    shutil.copy(weights.verified_minilm_folder() / "tokenizer.json", folder)
    return folder
