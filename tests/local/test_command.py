"""The command line and environment of vLLM: every flag one that the installed vLLM knows, no secret in it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from pagemind.cli.groups import split_options
from pagemind.model.local.command import ENTRY_POINT, Launch, command_line, environment_of
from pagemind.model.local.families import FAMILIES, QWEN
from pagemind.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
VLLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
KNOWS = """
import sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])
validate_parsed_serve_args(arguments)
print("parsed", arguments.scheduling_policy, arguments.tool_strict_level, arguments.max_num_seqs)
"""
LAUNCH = Launch(
    python=Path("/v/bin/python"),
    model="Qwen/Qwen3-8B",
    served_name="Qwen/Qwen3-8B",
    port=8000,
    family=QWEN,
    gpu=True,
    window_tokens=32_768,
    slots=12,
    template=Path("/p/qwen.jinja"),
    reasoning_parser="qwen3",
    revision="abc",
    gpu_share=0.9,
    extra_args=("--max-num-seqs", "4"),
)


def test_the_whole_command_on_a_gpu() -> None:
    assert command_line(LAUNCH) == [
        *("/v/bin/python", "-m", ENTRY_POINT),
        *("--model", "Qwen/Qwen3-8B", "--served-model-name", "Qwen/Qwen3-8B", "--revision", "abc"),
        *("--host", "127.0.0.1", "--port", "8000", "--max-model-len", "32768", "--max-num-seqs", "12"),
        *("--gpu-memory-utilization", "0.9"),
        *("--enable-prefix-caching", "--enable-prompt-tokens-details", "--scheduling-policy", "priority"),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--tool-strict-level", "parameter"),
        *("--reasoning-parser", "qwen3"),
        *("--chat-template", "/p/qwen.jinja", "--chat-template-content-format", "string"),
        *("--max-num-seqs", "4"),
    ]


def test_without_a_gpu_it_runs_eagerly_in_small_blocks() -> None:
    words = command_line(replace(LAUNCH, gpu=False))
    assert "--gpu-memory-utilization" not in words
    assert words[words.index("--block-size") + 1] == "32"
    assert "--enforce-eager" in words


def test_the_key_goes_through_the_environment_and_ours_stays_out_of_it(tmp_path: Path) -> None:
    ours = {"PATH": "/bin", "PYTHONPATH": "/src", "VLLM_API_KEY": "old", "HF_TOKEN": "hf"}
    launch = replace(LAUNCH, gpu=False, cpu_cache_gib=3, model=str(tmp_path))
    made = environment_of(launch, SecretStr("s3cret"), ours)
    assert made["VLLM_API_KEY"] == "s3cret"
    assert (made["VLLM_CPU_KVCACHE_SPACE"], made["HF_HUB_OFFLINE"], made["HF_TOKEN"]) == ("3", "1", "hf")
    assert "PYTHONPATH" not in made
    assert "VLLM_API_KEY" not in environment_of(launch, None, ours)
    assert not any("s3cret" in word for word in command_line(launch))


def test_the_installed_vllm_knows_every_flag(tmp_path: Path) -> None:
    if not VLLM_PYTHON.exists():
        pytest.skip("there is no .venv-vllm: `make vllm-cpu` sets it up")
    template = tmp_path / "a.jinja"
    template.write_text("{{ messages }}")
    every = [word for family in FAMILIES for word in family.arguments]
    for launch in (LAUNCH, replace(LAUNCH, gpu=False, extra_args=tuple(every))):
        words = command_line(replace(launch, template=template))[3:]
        asked = subprocess.run([VLLM_PYTHON, "-c", KNOWS, *words], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert "parsed priority parameter" in asked.stdout, asked.stderr[-2_000:]


def test_settings_come_from_the_file_and_the_environment_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pagemind.toml").write_text(
        '[model.local]\nmodel = "a/b"\nport = 9000\ngpu = true\nextra_args = ["--seed", "1"]\n'
    )
    monkeypatch.setenv("PAGEMIND_HOME", str(tmp_path))
    monkeypatch.setenv("PAGEMIND_MODEL__LOCAL__PORT", "9001")
    monkeypatch.setenv("PAGEMIND_MODEL__LOCAL__GPU", "auto")
    local = Settings().model.local
    assert (local.model, local.port, local.gpu, local.extra_args) == ("a/b", 9001, "auto", ("--seed", "1"))


def test_up_has_a_model_and_a_window_of_its_own() -> None:
    anywhere = ["--home"]
    assert split_options(["up", "--model", "m", "--home", "h"], anywhere) == (["--home", "h"], ["up", "--model", "m"])
