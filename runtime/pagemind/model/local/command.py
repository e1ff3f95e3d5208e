"""The command line and the environment of vLLM, from what is to be served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from pagemind.model.local.families import Family

ENTRY_POINT = "vllm.entrypoints.openai.api_server"
HOST = "127.0.0.1"
CPU_BLOCK_TOKENS = 32
"""The prefix cache holds whole blocks: of 128 tokens by default on the CPU, which would cost 64 a call on average."""
NEVER_FROM_US = frozenset({"VLLM_API_KEY", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})
"""Variables of our own environment that vLLM's must not see."""


@dataclass(frozen=True)
class Launch:
    """All that decides how a model is served."""

    python: Path
    model: str
    served_name: str
    port: int
    family: Family
    gpu: bool
    window_tokens: int
    slots: int
    """How many calls it carries at a time."""
    template: Path | None = None
    """A chat template; None: the model's own."""
    reasoning_parser: str | None = None
    revision: str | None = None
    gpu_share: float = 0.9
    """The share of the GPU's memory that vLLM may use for everything."""
    cpu_cache_gib: int = 1
    """Memory for the KV cache where there is no GPU."""
    extra_args: tuple[str, ...] = ()


def command_line(launch: Launch) -> list[str]:
    """The program and its arguments. It holds no secret, and may be shown.

    Argument order matters to the last ones alone: vLLM heeds the last of several values, so the person's have the last word.
    """
    return [
        *(str(launch.python), "-m", ENTRY_POINT),
        *("--model", launch.model),
        *("--served-model-name", launch.served_name),
        *(("--revision", launch.revision) if launch.revision else ()),
        *("--host", HOST, "--port", str(launch.port)),
        *("--max-model-len", str(launch.window_tokens)),
        *("--max-num-seqs", str(launch.slots)),
        *device_arguments(launch),
        *cache_arguments(),
        *call_arguments(launch),
        *launch.family.arguments,
        *launch.extra_args,
    ]


def device_arguments(launch: Launch) -> tuple[str, ...]:
    """On the CPU compiling takes longer than it gains, and half precision has no fast kernels but those of bfloat16."""
    if launch.gpu:
        return ("--gpu-memory-utilization", str(launch.gpu_share))
    return ("--dtype", "bfloat16", "--enforce-eager", "--block-size", str(CPU_BLOCK_TOKENS))


def cache_arguments() -> tuple[str, ...]:
    """What the runtime counts on: the prefix stays cached, hits are reported, who waits goes first."""
    return ("--enable-prefix-caching", "--enable-prompt-tokens-details", "--scheduling-policy", "priority")


def call_arguments(launch: Launch) -> tuple[str, ...]:
    """How calls and thinking are written and read. Messages reach the template as texts, not as lists of parts."""
    return (
        *("--enable-auto-tool-choice", "--tool-call-parser", launch.family.tool_parser),
        *("--tool-strict-level", "parameter"),
        *(("--reasoning-parser", launch.reasoning_parser) if launch.reasoning_parser else ()),
        *(("--chat-template", str(launch.template), "--chat-template-content-format", "string") if launch.template else ()),
    )


def environment_of(launch: Launch, key: SecretStr | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """Our environment with what vLLM wants in it; the API key goes this way, since command lines are seen by everybody."""
    kept = {name: value for name, value in inherited.items() if name not in NEVER_FROM_US}
    kept |= {"VLLM_HOST_IP": HOST, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    if not launch.gpu:
        kept["VLLM_CPU_KVCACHE_SPACE"] = str(launch.cpu_cache_gib)
    if Path(launch.model).is_dir():
        kept["HF_HUB_OFFLINE"] = "1"
    if key:
        kept["VLLM_API_KEY"] = key.get_secret_value()
    return kept
