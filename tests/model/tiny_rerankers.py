"""Rerankers of each family with random weights, small enough to be made by a test."""

# The libraries' own annotations are partial.
# pyright: reportUnknownMemberType=false, reportArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from pagemind.testing.measure.embedding import mixed_texts
from pagemind.testing.tiny_model import train_tokenizer

SPREAD = 0.4
"""Of the random weights: scores far apart, so that a wrong one shows."""


def save_bert(folder: Path, *, labels: int = 1, layers: int = 2, width: int = 32, head: bool = True) -> Path:
    """A BERT like the MiniLM cross-encoders: two kinds of token types, 128 positions."""
    tokenizer = word_pieces()
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=SPREAD,
    )
    config.num_labels = labels
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)
    marks = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **marks).save_pretrained(folder)
    return folder


def word_pieces() -> Tokenizer:
    """A WordPiece tokenizer that joins pairs as BERT's does."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(mixed_texts(50), trainers.WordPieceTrainer(vocab_size=500, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def save_xlm_roberta(folder: Path) -> Path:
    """An XLM-RoBERTa like BGE-reranker: one token type, positions counted from behind the padding's id, 64 of them usable."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        mixed_texts(50), trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    torch.manual_seed(2)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=66,
        type_vocab_size=1,
        pad_token_id=1,
        initializer_range=SPREAD,
    )
    config.num_labels = 1
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)
    marks = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    # As several published models say it: nothing of a limit.
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=10**30, **marks).save_pretrained(folder)
    return folder


def save_qwen3(folder: Path, *, converted: bool = False, answers: bool = True, tied: bool = True) -> Path:
    """A Qwen3-Reranker, as a language model or ``converted`` to a classifier; without ``answers`` it has no yes and no."""
    tokenizer = train_tokenizer()
    if answers:
        tokenizer.add_tokens([AddedToken(word, single_word=True, special=False) for word in ("yes", "no")])
    torch.manual_seed(3)
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
        pad_token_id=tokenizer.token_to_id("<|endoftext|>"),
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id("<|im_end|>"),
        initializer_range=SPREAD,
    )
    config.num_labels = 1
    kind: Any = Qwen3ForSequenceClassification if converted else Qwen3ForCausalLM
    kind(config).save_pretrained(folder)
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=2048, **marks).save_pretrained(folder)
    return folder
