"""What an agent's file may say. The JSON Schema for editors is generated from these models."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pagemind.definitions.secrets import SECRET_PATTERN, Secret
from pagemind.records import Json, Owner
from pagemind.records.search import CONFIDENCE

DEFAULT_TOOLS = (
    "core_memory_append",
    "core_memory_replace",
    "memory_insert",
    "memory_replace",
    "memory_rethink",
    "archival_memory_insert",
    "archival_memory_search",
    "conversation_search",
)

MAX_TEXT_CHARS = 200_000
MAX_BLOCK_CHARS = 200_000


def _none_if_empty(value: Any) -> Any:
    """``${VAR:-}`` of an unset variable leaves an empty text, which means: not given."""
    return None if value == "" else value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is listed twice")
        seen.add(value)
    return values


EMPTY_IS_NONE = BeforeValidator(_none_if_empty)

SLUG = r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"
LABEL = r"^[A-Za-z0-9_]([A-Za-z0-9_./-]*[A-Za-z0-9_])?$"
TOOL = r"^[A-Za-z_][A-Za-z0-9_-]*$"
ENDPOINT = r"^(demo|https?://[^\s@]+)$"
HINTS = {
    SLUG: "a name is made of small letters, digits, '-' and '_', and begins and ends with a letter or digit",
    LABEL: "a label is made of letters, digits, '_', '-', '.' and '/'",
    TOOL: "a tool's name is made of letters, digits, '_' and '-'",
    ENDPOINT: "must be 'demo' or a URL such as http://localhost:8000/v1, without user name or password in it",
}
"""Patterns in words."""

Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=64)]
Label = Annotated[str, StringConstraints(pattern=LABEL, max_length=64)]
ToolName = Annotated[str, StringConstraints(pattern=TOOL, max_length=64)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Endpoint = Annotated[str, StringConstraints(pattern=ENDPOINT, max_length=2000)]


class Spec(BaseModel):
    """A part of a definition: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class LimitsSpec(Spec):
    """What one run may use; a limit that is not given is taken from the settings."""

    max_steps: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, EMPTY_IS_NONE] = None
    """Model calls in one run."""
    max_seconds: Annotated[Annotated[float, Field(gt=0, le=86_400)] | None, EMPTY_IS_NONE] = None
    """Seconds from the start of a run to its end."""
    max_tokens: Annotated[Annotated[int, Field(ge=1)] | None, EMPTY_IS_NONE] = None
    """Tokens in all prompts and replies of one run."""


class ModelSpec(Spec):
    """Which model reasons for the agent, and how it is asked."""

    endpoint: Annotated[Endpoint | None, EMPTY_IS_NONE] = None
    """Base URL of an OpenAI-compatible server, with `/v1`, or `demo` for the built-in one; left out: as configured or found."""
    name: Annotated[Annotated[str, Field(max_length=500)] | None, EMPTY_IS_NONE] = None
    """The model's name on that server; left out: the one it serves."""
    api_key: Annotated[Secret | None, EMPTY_IS_NONE] = None
    """A reference such as `${secret:OPENAI_API_KEY}`, looked up at each call and never stored."""
    temperature: Annotated[Annotated[float, Field(ge=0, le=2)] | None, EMPTY_IS_NONE] = None
    """Sampling temperature; left out: the server's default."""
    max_reply_tokens: int = Field(default=1024, ge=16, le=1_000_000)
    """Tokens kept free in the window for one reply."""
    parallel_calls: bool | None = None
    """Whether one reply may call several tools; left out: the server's default."""
    response_format: Json | None = None
    """The form that replies must have, as OpenAI's `response_format`; left out: any text."""
    window_tokens: Annotated[Annotated[int, Field(ge=1024, le=100_000_000)] | None, EMPTY_IS_NONE] = None
    """The context window to work in; left out: the server's; never more than the server's."""
    limits: LimitsSpec = LimitsSpec()
    """What one run may use."""


class BlockSpec(Spec):
    """A core memory block: a labelled text that is always in the agent's view."""

    owner: Owner
    """`config`: this file has the last word and the agent cannot edit it. `agent`: `value` is only the seed."""
    value: str = Field(default="", max_length=MAX_BLOCK_CHARS)
    """The text, or the first text of a block that the agent owns."""
    description: str = Field(default="", max_length=2000)
    """What the block is for, as the agent reads it."""
    limit: int = Field(default=5000, ge=1, le=MAX_BLOCK_CHARS)
    """The most characters it may hold."""
    read_only: bool = False
    """Whether the agent's tools refuse to edit it, though it owns it."""

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        if len(self.value) > self.limit:
            raise ValueError(f"the value has {len(self.value)} characters and the limit is {self.limit}")
        return self


class DecaySpec(Spec):
    """How what is older counts for less. A passage's score is multiplied by a factor of its age in days."""

    kind: Literal["none", "linear", "half_life"] = "none"
    """`linear`: `1 - age / retention_days * 0.3`, at least 0.7. `half_life`: `0.5 ** (age / retention_days)`."""
    retention_days: float = Field(default=90, gt=0, le=36_500)
    """The days after which a passage has lost its 30 % (`linear`), or half of its weight (`half_life`)."""


class ConfidenceSpec(Spec):
    """How far a passage is trusted, 0 to 1, by who vouches for it, where nothing is said of the passage itself."""

    stated: float = Field(default=CONFIDENCE["stated"], ge=0, le=1)
    """A person said or stored it."""
    read: float = Field(default=CONFIDENCE["read"], ge=0, le=1)
    """A tool read it somewhere."""
    inferred: float = Field(default=CONFIDENCE["inferred"], ge=0, le=1)
    """The model wrote it."""
    imported: float = Field(default=CONFIDENCE["imported"], ge=0, le=1)
    """It came with a file or from another system."""


Days = Annotated[Annotated[float, Field(gt=0, le=36_500)] | None, EMPTY_IS_NONE]


class DaysSpec(Spec):
    """Days from when a passage is stored, by who vouches for it; what is left out: never."""

    stated: Days = None
    """Of what a person said or stored."""
    read: Days = None
    """Of what a tool read somewhere."""
    inferred: Days = None
    """Of what the model wrote."""
    imported: Days = None
    """Of what came with a file or from another system."""


class SearchSpec(Spec):
    """How its searches weigh what they find. Everything is off unless asked for."""

    min_similarity: Annotated[Annotated[float, Field(ge=0, le=1)] | None, EMPTY_IS_NONE] = None
    """The least cosine of a hit with the query, so that nothing comes rather than noise: `cosine >= min_similarity`."""
    decay: DecaySpec = DecaySpec()
    """How what is older counts for less: `score * factor(age)`."""
    weigh_confidence: bool = False
    """Whether trust counts: `score * confidence`, and `score * confidence / 2` once a passage is past its `review_by`."""
    confidence: ConfidenceSpec = ConfidenceSpec()
    """How far a passage is trusted by who vouches for it."""
    refresh_on_access: bool = False
    """Whether a passage's age counts from when a search last brought it."""
    diversity: float = Field(default=0, ge=0, le=1)
    """Maximal marginal relevance: the next hit is that of the greatest `(1 - diversity) * score - diversity * likeness`."""
    rerank: bool | None = None
    """Whether the reranker has the last word; left out: where the configuration has one."""
    expires_after_days: DaysSpec = DaysSpec()
    """When a new passage expires, so that no search brings it any more."""
    review_after_days: DaysSpec = DaysSpec()
    """When a new passage is due for review, from when on it counts for half under `weigh_confidence`."""


class MemorySpec(Spec):
    """How the agent's context window is paged, and how its memory is searched."""

    high_watermark: float = Field(default=0.9, gt=0, le=1)
    """The share of the window above which the oldest exchanges are paged out."""
    low_watermark: float = Field(default=0.4, gt=0, lt=1)
    """The share of the window that paging out brings it down to."""
    early_watermark: Annotated[Annotated[float, Field(gt=0, le=1)] | None, EMPTY_IS_NONE] = None
    """The share of the window above which exchanges are paged out while nobody waits; left out: a little below the high one."""
    write_policy: Literal["write_back", "write_through"] = "write_back"
    """`write_back` leaves the compiled blocks alone until the next compaction; `write_through` renders each edit at once."""
    notice_budget_tokens: int = Field(default=1000, ge=0, le=1_000_000)
    """Tokens of notices about edits from elsewhere, above which the blocks are rendered anew."""
    summary_tokens: int = Field(default=600, ge=32, le=1_000_000)
    """How long the summary of what was paged out may be."""
    keep_tokens: int = Field(default=0, ge=0, le=1_000_000)
    """Tokens for paged-out messages that searches brought back again and again: they stay in view word for word; 0: none."""
    search: SearchSpec = SearchSpec()
    """How searches weigh what they find."""

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low_watermark >= self.high_watermark:
            raise ValueError(f"low_watermark {self.low_watermark} must be below high_watermark {self.high_watermark}")
        if self.early_watermark is not None and self.low_watermark >= self.early_watermark:
            raise ValueError(f"low_watermark {self.low_watermark} must be below early_watermark {self.early_watermark}")
        return self


class AgentDefinition(Spec):
    """An agent as a file under `agents/`."""

    version: Literal[1]
    """The version of this format."""
    kind: Literal["agent"]
    """What the file defines."""
    name: Slug
    """The agent's name: small letters, digits, `-` and `_`."""
    description: str = Field(default="", max_length=2000)
    """What the agent is for, to people."""
    model: ModelSpec = ModelSpec()
    """Which model reasons for it."""
    instructions: str = Field(min_length=1, max_length=MAX_TEXT_CHARS)
    """What the agent is told to be and to do: the system prompt."""
    blocks: Annotated[dict[Label, BlockSpec], Field(max_length=64)] = {}
    """Core memory by label, in the order in which the agent sees it."""
    tools: Annotated[tuple[ToolName, ...], AfterValidator(_unique), Field(max_length=128)] = DEFAULT_TOOLS
    """Names of the tools it may call; left out: the eight memory tools."""
    memory: MemorySpec = MemorySpec()
    """How its window is paged, and its memory searched."""
    tags: Annotated[tuple[Tag, ...], AfterValidator(_unique), Field(max_length=64)] = ()
    """Words to find the agent by."""


def as_json(definition: AgentDefinition) -> Json:
    """The definition as JSON values, defaults included, secrets as references."""
    return definition.model_dump(mode="json")


def json_schema() -> Json:
    """The JSON Schema of an agent's file (draft 2020-12), for editors."""
    schema = AgentDefinition.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        model["properties"] = {key: _widened(value) for key, value in model.get("properties", {}).items()}
        if not model["properties"]:
            del model["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Pagemind agent"}


def json_schema_text() -> str:
    """``json_schema`` as it is shipped in ``agents/agent.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


ABOUT = ("title", "description", "default")


def _widened(value: Json) -> Json:
    """Let an editor accept ``${VAR}`` where a number, a truth value or a text of some form is asked for.

    It is filled in before it is checked. A secret is a text of a form that stays as strict as it is.
    """
    choices: list[Json] = value.get("anyOf", [value])
    if not any(_is_narrow(choice) for choice in choices):
        return value
    about = {key: value[key] for key in ABOUT if key in value}
    plain = [{key: part for key, part in choice.items() if key not in ABOUT} for choice in choices]
    return {**about, "anyOf": [*plain, {"type": "string", "pattern": r"\$\{"}]}


def _is_narrow(choice: Json) -> bool:
    number_or_truth = choice.get("type") in ("integer", "number", "boolean") and "const" not in choice
    return number_or_truth or ("pattern" in choice and choice["pattern"] != SECRET_PATTERN)
