"""How many bytes a model's weights and its KV cache take, by the formulas of its attention."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.model.local.facts import ModelFacts
from pagemind.model.wire import Json, list_of, object_of, text_of, whole

BYTES_OF_FLOAT32 = 4
BYTES_OF_HALF = 2
WINDOWED = frozenset({"sliding_attention", "chunked_attention"})
FULL = "full_attention"


@dataclass(frozen=True)
class KvShape:
    """What one sequence takes in the KV cache: ``bytes_per_token`` for each token, and layers that see a window only."""

    bytes_per_token: int
    windowed_bytes_per_token: int = 0
    windowed_tokens: int = 0
    """How many tokens the layers with a sliding window hold at most."""

    def sequence_bytes(self, tokens: int) -> int:
        """The bytes of a sequence of ``tokens``."""
        return self.bytes_per_token * tokens + self.windowed_bytes_per_token * min(tokens, self.windowed_tokens)


def kv_shape(facts: ModelFacts) -> KvShape:
    """The KV cache of a model.

    Full attention: 2 (keys and values) x layers x KV heads x head dimension x bytes of the type. Multi-head latent attention
    (DeepSeek-V2, section 2.1): layers x (latent rank + dimension of the rotary key) x bytes. Layers with a sliding window hold
    no more than the window; linear layers hold a state of constant size, which is left out here.
    """
    config = facts.text
    full, windowed = layers_by_kind(config)
    per_layer = layer_bytes_per_token(config)
    window = whole(config.get("sliding_window")) or whole(config.get("attention_chunk_size")) or 0
    return KvShape(full * per_layer, windowed * per_layer, window)


def layer_bytes_per_token(config: Json) -> int:
    """The bytes that one layer keeps of one token."""
    if rank := whole(config.get("kv_lora_rank")):
        return (rank + (whole(config.get("qk_rope_head_dim")) or 0)) * type_bytes(config)
    return 2 * kv_heads(config) * head_dim(config) * type_bytes(config)


def layers_by_kind(config: Json) -> tuple[int, int]:
    """How many layers see everything, and how many only a window; linear ones are neither."""
    layers = whole(config.get("num_hidden_layers")) or 0
    kinds = list_of(config.get("layer_types"))
    if kinds:
        return kinds.count(FULL), sum(kind in WINDOWED for kind in kinds)
    if interval := whole(config.get("full_attention_interval")):
        return layers // interval, 0
    slides = whole(config.get("sliding_window")) and config.get("use_sliding_window", True)
    return (0, layers) if slides else (layers, 0)


def kv_heads(config: Json) -> int:
    """The heads whose keys and values are kept: as many as query heads where the configuration says nothing else."""
    return whole(config.get("num_key_value_heads")) or whole(config.get("num_attention_heads")) or 1


def head_dim(config: Json) -> int:
    """The width of one head."""
    heads = whole(config.get("num_attention_heads")) or 1
    return whole(config.get("head_dim")) or (whole(config.get("hidden_size")) or 0) // heads


def type_bytes(config: Json) -> int:
    """The bytes of one number of the cache, which has the type that the model computes in."""
    named = text_of(config.get("dtype")) or text_of(config.get("torch_dtype"))
    return BYTES_OF_FLOAT32 if named == "float32" else BYTES_OF_HALF


def weight_bytes(facts: ModelFacts) -> int:
    """The bytes of the weights: of their files where those are known, else about as many as the configuration makes."""
    return facts.weight_bytes or round(parameters(facts.text) * bytes_per_parameter(facts.config))


def parameters(config: Json) -> int:
    """About how many parameters a transformer of this shape has.

    Embeddings (twice unless tied) + per layer: attention h x d x (2 x heads + 2 x KV heads), and a gated feed-forward of
    3 x h x width, as often as there are experts.
    """
    hidden = whole(config.get("hidden_size")) or 0
    layers = whole(config.get("num_hidden_layers")) or 0
    embeddings = (whole(config.get("vocab_size")) or 0) * hidden * (1 if config.get("tie_word_embeddings") else 2)
    heads = whole(config.get("num_attention_heads")) or 1
    attention = hidden * head_dim(config) * 2 * (heads + kv_heads(config))
    experts = expert_count(config)
    width = whole(config.get("moe_intermediate_size")) if experts > 1 else None
    feed_forward = 3 * hidden * (width or whole(config.get("intermediate_size")) or 4 * hidden)
    return embeddings + layers * (attention + experts * feed_forward)


def expert_count(config: Json) -> int:
    """How many feed-forward networks a layer has."""
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    return next((count for name in names if (count := whole(config.get(name)))), 1)


def bytes_per_parameter(config: Json) -> float:
    """By the quantization that the configuration states, else 2."""
    quantized = object_of(config.get("quantization_config"))
    method = text_of(quantized.get("quant_method"))
    bits = whole(quantized.get("bits"))
    if bits:
        return bits / 8
    return {"fp8": 1.0, "mxfp4": 0.53125, "awq": 0.5, "gptq": 0.5}.get(method, float(type_bytes(config)))
