"""Whether a model fits into the memory that there is, and with how many live agents. Pure: numbers in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.errors import LocalModelTooBig
from pagemind.model.local.facts import ModelFacts
from pagemind.model.local.hardware import Hardware
from pagemind.model.local.kv import KvShape, kv_shape, weight_bytes
from pagemind.model.wire import whole

GIB = 2**30
GPU_SHARE = 0.9
"""Of a GPU's memory, for weights, cache and work space; the rest is left to the embedder and the desktop."""
FREE_SHARE = 0.95
"""Of what is free, where others use the GPU already."""
GPU_WORK_BYTES = 2 * GIB
"""Activations and CUDA graphs, about: vLLM measures them when it starts."""
RAM_SHARE = 0.5
CPU_CACHE_GIB = 4
"""vLLM's own default; what eight full windows take, if that is less."""
DEFAULT_WINDOW_TOKENS = 32_768
"""An agent that pages needs no longer one, and a shorter one lets more agents stay in the cache."""
LEAST_WINDOW_TOKENS = 2_048
WINDOW_STEP_TOKENS = 1_024
MOST_SLOTS = {True: 64, False: 8}
"""With a GPU, and without."""
LEAST_SLOTS = 2
"""One for who waits, one for what happens behind."""


@dataclass(frozen=True)
class Fit:
    """What a model takes of a memory, and what is left for the cache."""

    weight_bytes: int
    kv: KvShape
    memory_bytes: int
    """What the server may use."""
    cache_bytes: int
    """What is left of it for the KV cache."""
    window_tokens: int
    slots: int
    gpu_share: float = GPU_SHARE

    @property
    def cache_tokens(self) -> int:
        """How many tokens the cache holds, in sequences as long as the window."""
        return self.cache_bytes * self.window_tokens // max(1, self.kv.sequence_bytes(self.window_tokens))

    @property
    def live_agents(self) -> int:
        """How many agents with a full window stay in the cache at a time."""
        return self.cache_tokens // self.window_tokens

    @property
    def cache_gib(self) -> int:
        """The cache in whole GiB, at least one."""
        return max(1, self.cache_bytes // GIB)


def fit(
    facts: ModelFacts,
    hardware: Hardware,
    *,
    window_tokens: int | None = None,
    slots: int | None = None,
    cache_gib: int | None = None,
) -> Fit:
    """Fit a model into a memory. ``cache_gib`` sets the cache where there is no GPU.

    Raises ``LocalModelTooBig`` where the weights, or one sequence of the asked window beside them, find no room.
    """
    kv, weights = kv_shape(facts), weight_bytes(facts)
    share = gpu_share(hardware)
    memory = round(hardware.total_bytes * share) if hardware.gpu else round(hardware.free_bytes * RAM_SHARE)
    left = memory - weights - (GPU_WORK_BYTES if hardware.gpu else 0)
    if left <= 0:
        raise LocalModelTooBig(weights=in_gib(weights), available=in_gib(memory), advice=smaller(hardware))
    longest = min(whole(facts.text.get("max_position_embeddings")) or DEFAULT_WINDOW_TOKENS, DEFAULT_WINDOW_TOKENS)
    cache = left if hardware.gpu else min(left, cpu_cache(kv, window_tokens or longest, slots, cache_gib))
    window = window_tokens or fitting_window(kv, cache, longest)
    if kv.sequence_bytes(window) > cache:
        room = in_gib(cache)
        raise LocalModelTooBig(
            f"a window of {window} tokens takes {in_gib(kv.sequence_bytes(window))} of cache, and {room} are left for it",
            weights=in_gib(weights),
            available=in_gib(memory),
            advice=f"ask for a window of {fitting_window(kv, cache, window)} tokens",
        )
    made = Fit(weights, kv, memory, cache, window, slots or 1, share)
    return Fit(weights, kv, memory, cache, window, slots or fitting_slots(made.live_agents, gpu=hardware.gpu), share)


def cpu_cache(kv: KvShape, window_tokens: int, slots: int | None, cache_gib: int | None) -> int:
    """The cache to ask for where there is no GPU: whole GiB, as many as asked for, else as the slots can fill."""
    if cache_gib:
        return cache_gib * GIB
    wanted = -(-kv.sequence_bytes(window_tokens) * (slots or MOST_SLOTS[False]) // GIB) * GIB
    return max(GIB, wanted if slots else min(wanted, CPU_CACHE_GIB * GIB))


def gpu_share(hardware: Hardware) -> float:
    """The share of a GPU's memory to use: nine tenths, or nearly what others have left of it."""
    free = hardware.free_bytes / max(1, hardware.total_bytes)
    return GPU_SHARE if free >= GPU_SHARE else int(free * FREE_SHARE * 100) / 100


def fitting_window(kv: KvShape, cache_bytes: int, wanted_tokens: int) -> int:
    """The longest window up to the wanted one of which one sequence fits, in steps; never below ``LEAST_WINDOW_TOKENS``."""
    window = wanted_tokens
    while window > LEAST_WINDOW_TOKENS and kv.sequence_bytes(window) > cache_bytes:
        window = (window - 1) // WINDOW_STEP_TOKENS * WINDOW_STEP_TOKENS
    return window


def fitting_slots(live_agents: int, *, gpu: bool) -> int:
    """How many calls to carry at a time: one for each agent that fits, within bounds."""
    return max(LEAST_SLOTS, min(live_agents, MOST_SLOTS[gpu]))


def smaller(hardware: Hardware) -> str:
    """What to do about weights that do not fit."""
    return "take a smaller or a quantized model" if hardware.gpu else "take a smaller model, or a machine with a GPU"


def in_gib(count: int) -> str:
    """Bytes for people."""
    return f"{count / GIB:.1f} GiB" if count >= GIB // 10 else f"{count / 2**20:.1f} MiB"
