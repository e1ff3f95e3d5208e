"""What vLLM must be told for each family of models: how it writes calls, how it marks its thinking, how a chat is printed.

The names of the parsers are those of vLLM 0.32; ``tests/local/test_families.py`` holds them against its registries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pagemind.model.local.facts import ModelFacts

QWEN_TEMPLATE = "qwen.jinja"
QWEN_XML_TEMPLATE = "qwen-xml.jinja"


@dataclass(frozen=True)
class Family:
    """A family of models that write their calls alike."""

    name: str
    tool_parser: str
    reasoning_parser: str | None = None
    """For its models that think."""
    template: str | None = None
    """A file under ``prompts/chat``; None: the model's own."""
    always_thinks: bool = False
    """Whether its models think even if no template of theirs says so."""
    arguments: tuple[str, ...] = ()
    """Further arguments for vLLM."""


@dataclass(frozen=True)
class Row:
    """Whose models are of a family: by ``model_type`` or architecture, and by name where those are shared."""

    family: Family
    kinds: frozenset[str]
    """``model_type`` of config.json, or an entry of its ``architectures``."""
    names: str = ""
    """What the model's name must match; empty: any."""


QWEN = Family("Qwen", "hermes", "qwen3", QWEN_TEMPLATE)
QWEN_XML = Family("Qwen, XML calls", "qwen3_xml", "qwen3", QWEN_XML_TEMPLATE)
LLAMA = Family("Llama 3", "llama3_json")
LLAMA4 = Family("Llama 4", "llama4_pythonic")
MISTRAL = Family("Mistral", "mistral", "mistral", arguments=("--tokenizer-mode", "mistral"))
GPT_OSS = Family("gpt-oss", "openai", "openai_gptoss", always_thinks=True)
GLM45 = Family("GLM 4.5", "glm45", "glm45", always_thinks=True)
GLM47 = Family("GLM 4.7", "glm47", "glm47", always_thinks=True)
DEEPSEEK_R1 = Family("DeepSeek R1", "deepseek_v3", "deepseek_r1", always_thinks=True)
DEEPSEEK_V3 = Family("DeepSeek V3", "deepseek_v3")
DEEPSEEK_V31 = Family("DeepSeek V3.1", "deepseek_v31", "deepseek_v3", always_thinks=True)
DEEPSEEK_V32 = Family(
    "DeepSeek V3.2", "deepseek_v32", "deepseek_v3", always_thinks=True, arguments=("--tokenizer-mode", "deepseek_v32")
)
KIMI_K2 = Family("Kimi K2", "kimi_k2", "kimi_k2")
OTHER = Family("unknown", "hermes")

ROWS = (
    Row(QWEN_XML, frozenset({"qwen3_moe", "qwen3_next", "qwen3"}), r"coder"),
    Row(QWEN_XML, frozenset({"qwen3_5", "qwen3_5_moe", "qwen3_5_text", "qwen3_5_moe_text"})),
    # Distillates of R1 have the architecture of their students and the chat format of their teacher.
    Row(DEEPSEEK_R1, frozenset({"qwen2", "llama", "deepseek_v3", "qwen3"}), r"deepseek.*r1"),
    Row(QWEN, frozenset({"qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"})),
    Row(LLAMA4, frozenset({"llama4", "llama4_text"})),
    Row(MISTRAL, frozenset({"mistral", "mistral3", "mixtral", "ministral3"})),
    Row(GPT_OSS, frozenset({"gpt_oss"})),
    Row(GLM47, frozenset({"glm4_moe", "glm4_moe_lite"}), r"4[.-]?[67]"),
    Row(GLM47, frozenset({"glm4_moe_lite", "glm_moe_dsa"})),
    Row(GLM45, frozenset({"glm4_moe"})),
    Row(KIMI_K2, frozenset({"kimi_k2", "deepseek_v3"}), r"kimi"),
    Row(KIMI_K2, frozenset({"kimi_k2"})),
    Row(DEEPSEEK_V32, frozenset({"deepseek_v32"})),
    Row(DEEPSEEK_V31, frozenset({"deepseek_v3"}), r"v3[.-]1"),
    Row(DEEPSEEK_V3, frozenset({"deepseek_v3"})),
    Row(LLAMA, frozenset({"llama", "mllama"})),
)
"""The first row that fits decides, so the narrower rows stand first."""

FAMILIES = tuple(dict.fromkeys([*(row.family for row in ROWS), OTHER]))
BARE = re.compile(r"instruct|coder", re.IGNORECASE)
"""Qwen's names for models that do not think."""
THINKING = re.compile(r"thinking|reasoning|magistral", re.IGNORECASE)


def family_of(facts: ModelFacts) -> Family:
    """The model's family; ``OTHER``, with the calls most common, where no row knows it."""
    for row in ROWS:
        if row.kinds & facts.kinds and re.search(row.names, facts.name, re.IGNORECASE):
            return row.family
    return OTHER


def reasoning_parser(family: Family, facts: ModelFacts) -> str | None:
    """The family's reasoning parser if this model thinks; None where it would take a plain reply for thinking.

    A model thinks if its name says so, or if the chat template that it came with prints thinking.
    """
    if family.always_thinks or THINKING.search(facts.name):
        return family.reasoning_parser
    if BARE.search(facts.name):
        return None
    return family.reasoning_parser if "<think>" in facts.template or "[THINK]" in facts.template else None
