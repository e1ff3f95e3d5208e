"""The arithmetic of memory, on configurations of published models."""

from __future__ import annotations

from typing import Any

import pytest

from pagemind.errors import LocalModelTooBig
from pagemind.model.local.facts import ModelFacts
from pagemind.model.local.fit import GIB, fit
from pagemind.model.local.hardware import Hardware, gpu_of
from pagemind.model.local.kv import kv_shape, weight_bytes

Json = dict[str, Any]
LLAMA_8B: Json = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "vocab_size": 128_256,
    "max_position_embeddings": 131_072,
    "torch_dtype": "bfloat16",
}
DEEPSEEK_V3: Json = {"num_hidden_layers": 61, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_attention_heads": 128}
GPT_OSS_20B: Json = {
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
}
QWEN3_NEXT: Json = {
    "num_hidden_layers": 48,
    "full_attention_interval": 4,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
}
QWEN25_7B: Json = {
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_size": 3584,
    "sliding_window": 131_072,
    "use_sliding_window": False,
}


def facts(config: Json, weights: int | None = None) -> ModelFacts:
    return ModelFacts("a", config, weights)


def gpu(total_gib: float, free_gib: float | None = None) -> Hardware:
    return Hardware("a GPU", round(total_gib * GIB), round((total_gib if free_gib is None else free_gib) * GIB), gpu=True)


def ram(free_gib: float) -> Hardware:
    return Hardware("memory", round(64 * GIB), round(free_gib * GIB), gpu=False)


@pytest.mark.parametrize(
    ("config", "bytes_per_token"),
    [
        (LLAMA_8B, 2 * 32 * 8 * 128 * 2),
        (LLAMA_8B | {"torch_dtype": "float32"}, 2 * 32 * 8 * 128 * 4),
        (DEEPSEEK_V3, 61 * (512 + 64) * 2),
        (QWEN3_NEXT, 2 * 12 * 2 * 256 * 2),
        (QWEN25_7B, 2 * 28 * 4 * 128 * 2),
        ({"text_config": LLAMA_8B}, 131_072),
    ],
)
def test_bytes_per_token_follow_from_the_attention(config: Json, bytes_per_token: int) -> None:
    assert kv_shape(facts(config)).sequence_bytes(10) == 10 * bytes_per_token


def test_layers_with_a_sliding_window_stop_growing() -> None:
    shape = kv_shape(facts(GPT_OSS_20B))
    one_layer = 2 * 8 * 64 * 2
    assert shape.sequence_bytes(100) == 24 * one_layer * 100
    assert shape.sequence_bytes(1_000) == 12 * one_layer * 1_000 + 12 * one_layer * 128


def test_weights_are_those_of_the_files_else_about_what_the_shape_makes() -> None:
    assert weight_bytes(facts(LLAMA_8B, 16_060_556_376)) == 16_060_556_376
    assert weight_bytes(facts(LLAMA_8B)) == pytest.approx(16_060_000_000, rel=0.01)
    assert weight_bytes(facts(LLAMA_8B | {"quantization_config": {"quant_method": "fp8"}})) == pytest.approx(8e9, rel=0.01)


def test_llama_8b_on_a_24_gib_gpu_keeps_one_agent_with_a_window_of_32k() -> None:
    made = fit(facts(LLAMA_8B, 15 * GIB), gpu(24))
    assert made.window_tokens == 32_768
    assert made.cache_bytes == round(24 * GIB * 0.9) - 15 * GIB - 2 * GIB
    assert made.cache_tokens == made.cache_bytes // 131_072
    assert (made.live_agents, made.slots) == (1, 2)


def test_an_80_gib_gpu_keeps_thirteen_and_carries_as_many_calls() -> None:
    made = fit(facts(LLAMA_8B, 15 * GIB), gpu(80))
    assert (made.live_agents, made.slots) == (13, 13)


def test_where_32k_do_not_fit_the_window_shrinks_in_steps() -> None:
    made = fit(facts(LLAMA_8B, 15 * GIB), gpu(21))
    assert made.window_tokens % 1_024 == 0
    assert 4_096 <= made.window_tokens < 32_768
    assert made.live_agents == 1


def test_what_others_have_of_the_gpu_is_left_to_them() -> None:
    made = fit(facts(LLAMA_8B, 15 * GIB), gpu(80, 60))
    assert made.gpu_share == 0.71
    assert made.memory_bytes == round(80 * GIB * 0.71)


def test_weights_that_do_not_fit_are_refused_with_one_thing_to_do() -> None:
    with pytest.raises(LocalModelTooBig) as refused:
        fit(facts(LLAMA_8B, 15 * GIB), gpu(12))
    assert "15.0 GiB" in str(refused.value)
    assert refused.value.fix == "take a smaller or a quantized model"


def test_a_window_that_does_not_fit_is_refused_with_one_that_does() -> None:
    with pytest.raises(LocalModelTooBig) as refused:
        fit(facts(LLAMA_8B, 15 * GIB), gpu(24), window_tokens=131_072)
    window = int(refused.value.fix.split()[-2])
    assert fit(facts(LLAMA_8B, 15 * GIB), gpu(24), window_tokens=window).live_agents == 1


def test_without_a_gpu_the_cache_is_what_the_slots_can_fill() -> None:
    tiny = facts(LLAMA_8B | {"num_hidden_layers": 1, "max_position_embeddings": 8_192}, GIB)
    made = fit(tiny, ram(20))
    assert (made.window_tokens, made.cache_gib) == (8_192, 1)
    assert fit(facts(LLAMA_8B, GIB), ram(40)).cache_gib == 4
    assert fit(facts(LLAMA_8B, GIB), ram(40), cache_gib=7).cache_gib == 7


def test_the_first_line_of_nvidia_smi_is_the_gpu() -> None:
    found = gpu_of("NVIDIA H200, 143771, 143200\nNVIDIA H200, 143771, 10\n")
    assert found == Hardware("NVIDIA H200", 143_771 * 2**20, 143_200 * 2**20, gpu=True)
    assert gpu_of("NVIDIA-SMI has failed") is None
    assert gpu_of("") is None
