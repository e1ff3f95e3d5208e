"""An agent's policy: how much window it has, how it is asked, when its blocks are written back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import SecretStr, ValidationError

from pagemind.definitions.schema import MemorySpec, ModelSpec
from pagemind.definitions.secrets import resolve_secret
from pagemind.errors import BadModel
from pagemind.memory.compiler import Generation
from pagemind.memory.pager import Budget
from pagemind.model.reasoner import Reasoner
from pagemind.records import Agent, Decay, Json, search
from pagemind.settings import Settings


@dataclass(frozen=True)
class Limits:
    """What one run may use: model calls, seconds since it started, tokens in all its prompts and replies."""

    max_steps: int
    max_seconds: float
    max_tokens: int


def limits_of(agent: Agent, settings: Settings) -> Limits:
    """What one run of the agent may use: its definition's limits, else the settings'."""
    limits = _model_spec(_frozen(agent.model)).limits
    return Limits(
        max_steps=limits.max_steps or settings.max_steps,
        max_seconds=limits.max_seconds or settings.max_seconds,
        max_tokens=limits.max_tokens or settings.max_tokens,
    )


def own_model(agent: Agent) -> tuple[str | None, str | None] | None:
    """The endpoint and model that the agent's definition names; None if it takes the reasoner that everybody takes."""
    model = _model_spec(_frozen(agent.model))
    return None if model.endpoint is None and model.name is None else (model.endpoint, model.name)


def own_key(agent: Agent, settings: Settings) -> SecretStr | None:
    """The secret that the definition refers to, fetched now and kept by nobody else. Raises SecretMissing."""
    model = _model_spec(_frozen(agent.model))
    return None if model.api_key is None else resolve_secret(model.api_key, settings)


def overridden(agent: Agent, request: Json) -> Agent:
    """The agent as the run's request wants it (``records.Request`` as JSON): other instructions, another model."""
    instructions, model = request.get("instructions"), request.get("model")
    if not instructions and not model:
        return agent
    other: Json = model or {}
    values: Json = {"instructions": instructions or agent.instructions, "model": {**agent.model, **other}}
    return agent.model_copy(update=values)


def check_model(agent: Agent, model: Json) -> None:
    """Raise BadModel where the agent cannot think with these keys of the ``model`` section."""
    try:
        ModelSpec.model_validate({**agent.model, **model})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise BadModel(where=".".join(map(str, first["loc"])) or "model", reason=first["msg"]) from error


@dataclass(frozen=True)
class Policy:
    """The parts of a definition that the loop obeys."""

    budget: Budget
    generation: Generation
    write_through: bool
    notice_budget_tokens: int
    keep_tokens: int


def policy_of(agent: Agent, reasoner: Reasoner) -> Policy:
    """The agent's policy on this reasoner. A window smaller than the reply asked for still leaves half to the prompt."""
    model = _model_spec(_frozen(agent.model))
    memory = _memory_spec(_frozen(agent.memory))
    window = min(model.window_tokens or reasoner.window_tokens, reasoner.window_tokens)
    reply = min(model.max_reply_tokens, window // 4)
    return Policy(
        budget=Budget(
            window_tokens=window,
            reserve_tokens=reply,
            high_watermark=memory.high_watermark,
            low_watermark=memory.low_watermark,
            early_watermark=memory.early_watermark,
            summary_tokens=min(memory.summary_tokens, window // 8),
        ),
        generation=Generation(
            max_reply_tokens=reply,
            model=model.name,
            temperature=model.temperature,
            parallel_calls=model.parallel_calls,
            response_format=model.response_format,
        ),
        write_through=memory.write_policy == "write_through",
        notice_budget_tokens=memory.notice_budget_tokens,
        keep_tokens=min(memory.keep_tokens, window // 4),
    )


def search_policy(agent: Agent) -> search.Policy:
    """How the agent's searches weigh what they find: ``memory.search`` of its definition."""
    given = _memory_spec(_frozen(agent.memory)).search
    return search.Policy(
        min_similarity=given.min_similarity,
        decay=Decay(given.decay.kind),
        retention_days=given.decay.retention_days,
        weigh_confidence=given.weigh_confidence,
        confidence=given.confidence.model_dump(),
        refresh_on_access=given.refresh_on_access,
        diversity=given.diversity,
        rerank=given.rerank,
    )


@dataclass(frozen=True)
class Lifetime:
    """From when on no search brings a passage, and from when on it counts for less; None: never."""

    expires_at: datetime | None = None
    review_by: datetime | None = None


def lifetime_of(agent: Agent, origin: str, at: datetime) -> Lifetime:
    """What the agent's definition gives a passage of that origin that is stored ``at`` that time."""
    given = _memory_spec(_frozen(agent.memory)).search
    return Lifetime(
        _later(at, given.expires_after_days.model_dump()[origin]), _later(at, given.review_after_days.model_dump()[origin])
    )


def _later(at: datetime, days: float | None) -> datetime | None:
    return None if days is None else at + timedelta(days=days)


@dataclass(frozen=True)
class _Frozen:
    """A section of a definition, known by its text: every step asks for the same few."""

    text: str
    section: Json = field(compare=False)


def _frozen(section: Json) -> _Frozen:
    return _Frozen(repr(section), section)


@lru_cache(1024)
def _model_spec(frozen: _Frozen) -> ModelSpec:
    return ModelSpec.model_validate_json(json.dumps(frozen.section))


@lru_cache(1024)
def _memory_spec(frozen: _Frozen) -> MemorySpec:
    return MemorySpec.model_validate_json(json.dumps(frozen.section))
