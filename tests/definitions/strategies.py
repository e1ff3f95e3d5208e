"""Definitions and live agents for property tests."""

from typing import Any

from hypothesis import strategies as st

from pagemind.definitions.planner import LiveAgent, LiveBlock
from pagemind.definitions.schema import DEFAULT_TOOLS, AgentDefinition
from pagemind.records import Owner

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
LABELS = st.sampled_from(["persona", "human", "plan", "a/b"])
OWNERS = st.sampled_from(list(Owner))
TOOLS = st.lists(st.sampled_from([*DEFAULT_TOOLS, "weather"]), unique=True).map(tuple)
TAGS = st.lists(TEXT.filter(bool), unique=True, max_size=3).map(tuple)
BLOCK: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "owner": OWNERS,
        "value": TEXT,
        "description": TEXT,
        "limit": st.sampled_from([40, 5000]),
        "read_only": st.booleans(),
    }
)
MODEL: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "qwen", "1e5", "no", "${x}"]),
        "temperature": st.sampled_from([None, 0.0, 0.7]),
        "window_tokens": st.sampled_from([None, 8192]),
        "api_key": st.sampled_from([None, "${secret:A_KEY}"]),
        "limits": st.fixed_dictionaries({"max_steps": st.sampled_from([None, 5]), "max_seconds": st.sampled_from([None, 2.5])}),
    }
)
SEARCH: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "min_similarity": st.sampled_from([None, 0.3]),
        "decay": st.sampled_from([{}, {"kind": "half_life", "retention_days": 30.0}]),
        "confidence": st.sampled_from([{}, {"inferred": 0.5}]),
        "rerank": st.sampled_from([None, False]),
        "expires_after_days": st.sampled_from([{}, {"inferred": 365.0}]),
    }
)
MEMORY: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "high_watermark": st.sampled_from([0.8, 0.9]),
        "write_policy": st.sampled_from(["write_back", "write_through"]),
        "search": SEARCH,
    }
)
VALUES = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "kind": st.just("agent"),
        "name": st.just("ada"),
        "description": TEXT,
        "instructions": TEXT.filter(bool),
        "model": MODEL,
        "memory": MEMORY,
        "tools": TOOLS,
        "tags": TAGS,
        "blocks": st.dictionaries(LABELS, BLOCK),
    }
)
DEFINITIONS = VALUES.map(AgentDefinition.model_validate)


def _live(values: dict[str, Any]) -> LiveAgent:
    kept = ("name", "description", "instructions", "model", "memory", "tools", "tags")
    blocks = {label: LiveBlock(**block) for label, block in values["blocks"].items()}
    return LiveAgent(**{key: values[key] for key in kept}, blocks=blocks)


LIVE = VALUES.map(_live)
