"""A tiny Qwen3 with random weights and its tokenizer: ``python tiny_model.py FOLDER [WINDOW_TOKENS]``.

It understands nothing, but a server that constrains its decoding makes it call real tools with valid arguments. It brings no
chat template: it is served with ours for the Qwen family. A script of its own, for a Python with torch and transformers.
"""

# The libraries' own annotations are partial.
# pyright: reportUnknownMemberType=false, reportArgumentType=false
from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

WINDOW_TOKENS = 16_384
VOCABULARY_LIMIT = 1_024
END, OPEN_CALL, QUOTE = "<|im_end|>", "<tool_call>", '"'
SPECIAL = ["<|endoftext|>", "<|im_start|>", END]
MARKS = [OPEN_CALL, "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
LIKELIER = {OPEN_CALL: 4.0, END: 2.5, QUOTE: 4.5, f"{QUOTE},": 3.5}
"""How much likelier than others, as logits, tokens are; a uniform choice rarely opens a call, ends a reply, closes a string."""

PROSE = """You are a helpful assistant who remembers. Keep what matters in the blocks of your core memory, put the rest in the
archive, and search the conversation when somebody asks about what was said before. My name is Ada and I live in Porto.
The dentist moved the appointment from Monday to Tuesday at three in the afternoon. Remember that the red notebook lies on
the second shelf, next to the window. What did we decide about the garden? We wanted to plant tomatoes, beans and basil.
The oldest exchanges were paged out of the context window; here is a summary of them, with ids to look them up by.
"""
CALLS = [
    {"name": "core_memory_append", "arguments": {"label": "human", "content": "Her name is Ada."}},
    {"name": "core_memory_replace", "arguments": {"label": "human", "old_content": "Monday", "new_content": "Tuesday"}},
    {"name": "archival_memory_insert", "arguments": {"content": "The notebook is red.", "tags": ["home", "things"]}},
    {"name": "archival_memory_search", "arguments": {"query": "notebook", "top_k": 5, "tags": None}},
    {"name": "conversation_search", "arguments": {"query": "dentist", "roles": ["user", "assistant"], "limit": 10}},
]
SCHEMA = {
    "type": "function",
    "function": {
        "name": "memory_insert",
        "description": "Insert a line into a block.",
        "parameters": {
            "type": "object",
            "properties": {"line": {"type": "integer", "description": "Where.", "default": -1}, "on": {"type": "boolean"}},
            "required": ["line"],
            "additionalProperties": False,
        },
    },
}


def train_tokenizer() -> Tokenizer:
    """A byte-level BPE, trained on text like that which the runtime sends."""
    calls = [f"{OPEN_CALL}\n{json.dumps(call)}\n</tool_call>" for call in CALLS]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_LIMIT - len(SPECIAL) - len(MARKS),
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([PROSE, *calls, json.dumps(SCHEMA), json.dumps(SCHEMA, indent=2)], trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, special=False) for text in MARKS])
    return tokenizer


def make_model(tokenizer: Tokenizer, window_tokens: int) -> Qwen3ForCausalLM:
    """Random weights, the same each time, with a lean towards the tokens of ``LIKELIER``."""
    torch.manual_seed(26)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=64,
            max_position_embeddings=window_tokens,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.token_to_id(END),
            pad_token_id=tokenizer.token_to_id("<|endoftext|>"),
        )
    )
    lean(model, tokenizer)
    return model.bfloat16()


def lean(model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
    """Hold one hidden unit high for every token, so that its column of the last layer acts as a bias."""
    unit = float(model.config.hidden_size or 0) ** 0.5
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 100.0
        model.lm_head.weight[:, 0] = 0.0
        for text, logit in LIKELIER.items():
            model.lm_head.weight[tokenizer.token_to_id(text), 0] = logit / unit


def build(folder: Path, window_tokens: int = WINDOW_TOKENS) -> None:
    """Save all that a server needs to serve it."""
    tokenizer = train_tokenizer()
    make_model(tokenizer, window_tokens).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token="<|endoftext|>",  # noqa: S106
        model_max_length=window_tokens,
    ).save_pretrained(folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
