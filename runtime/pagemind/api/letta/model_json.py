"""Models as they stand on Letta's wire: what an agent is asked with, in the new form and the old, and what there is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from pagemind.api.values import Metadata, Name
from pagemind.definitions.schema import ModelSpec
from pagemind.engine.kernel import Kernel
from pagemind.model.reasoner import models_of
from pagemind.records import Json

PROVIDER = "pagemind"
"""The first half of the handles that we list. Any other is accepted too: there is one reasoner, and people's code has names."""
MOST_TOKENS = 1_000_000
FEWEST_REPLY_TOKENS = 16
WINDOW_LEAST, WINDOW_MOST = 1024, 100_000_000
REPLY_TOKENS = 4096
"""How long a reply of an agent may be whose maker did not say; a window of less than four times that leaves a quarter of it."""
TEMPERATURE = 1.0
"""What stands for a temperature that was not given: the model's server has its own default."""
DEFAULT_SETTINGS: Json = {
    "max_output_tokens": REPLY_TOKENS,
    "parallel_tool_calls": True,
    "provider_type": "openai",
    "temperature": TEMPERATURE,
    "reasoning": {"reasoning_effort": "minimal"},
    "response_format": None,
    "strict": False,
}


def checked_format(value: dict[str, Any]) -> dict[str, Any]:
    """The form of replies, of a type that there is."""
    kind = value.get("type")
    if kind not in FORMATS or (kind == "json_schema" and not isinstance(value.get("json_schema"), dict)):
        raise ValueError(f"has to be of a type of {', '.join(FORMATS)}; json_schema has its schema with it")
    return value


FORMATS = ("text", "json_object", "json_schema")
ResponseFormat = Annotated[Metadata, AfterValidator(checked_format)]


class KnownSettings(BaseModel):
    """What of a model's settings is read; the rest is given back as it came."""

    provider_type: Name = "openai"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class OldConfig(BaseModel):
    """What of an ``llm_config`` is read."""

    model: Name
    handle: Name | None = None
    provider_name: Name | None = None
    model_endpoint_type: Name | None = None
    context_window: Annotated[int, Field(ge=WINDOW_LEAST, le=WINDOW_MOST)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None

    @property
    def full_handle(self) -> str:
        """The handle, or one made of the provider and the model."""
        return self.handle or f"{self.provider_name or self.model_endpoint_type or PROVIDER}/{self.model}"


def checked_settings(value: dict[str, Any]) -> dict[str, Any]:
    """The settings, of which those that are read are of their types."""
    KnownSettings.model_validate(value)
    return value


Settings = Annotated[Metadata, AfterValidator(checked_settings)]


def shown_settings(given: Json | None, spec: Json) -> Json:
    """An agent's ``model_settings``: what was given, and the rest as it is."""
    model = ModelSpec.model_validate(spec)
    shown = {**DEFAULT_SETTINGS, "max_output_tokens": model.max_reply_tokens}
    if given and given.get("provider_type", "openai") != "openai":
        shown = {name: shown[name] for name in ("max_output_tokens", "parallel_tool_calls", "provider_type", "temperature")}
    if model.temperature is not None:
        shown["temperature"] = model.temperature
    return {**shown, **(given or {}), "max_output_tokens": shown["max_output_tokens"]}


def llm_config(kernel: Kernel, handle: str | None, spec: Json, settings: Json | None = None) -> Json:
    """The old form: an agent's model, or the one that is listed under the handle."""
    model = ModelSpec.model_validate(spec)
    given = settings or {}
    reasoning = given.get("reasoning")
    return {
        "model": name_in(handle) or model.name or kernel.reasoner.model,
        "display_name": None,
        "model_endpoint_type": "openai",
        "model_endpoint": model.endpoint or kernel.reasoner.url or None,
        "provider_name": handle.partition("/")[0] if handle and "/" in handle else PROVIDER,
        "provider_category": "base",
        "model_wrapper": None,
        "context_window": model.window_tokens or kernel.reasoner.window_tokens,
        "put_inner_thoughts_in_kwargs": False,
        "handle": handle or default_handle(kernel, spec),
        "temperature": TEMPERATURE if model.temperature is None else model.temperature,
        "max_tokens": model.max_reply_tokens,
        "enable_reasoner": False,
        "reasoning_effort": reasoning.get("reasoning_effort") if isinstance(reasoning, dict) else None,  # pyright: ignore
        "max_reasoning_tokens": 0,
        "effort": None,
        "frequency_penalty": None,
        "compatibility_type": None,
        "verbosity": None,
        "tier": None,
        "parallel_tool_calls": given.get("parallel_tool_calls", False),
        "response_format": given.get("response_format"),
        "strict": given.get("strict", False),
        "return_logprobs": False,
        "top_logprobs": None,
        "return_token_ids": False,
        "tool_call_parser": None,
    }


def model_named(kernel: Kernel, handle: str | None) -> str | None:
    """The model that the handle names, if the reasoner's server has it beside the usual one; None for the usual one.

    Other names mean the usual one, too: people's code has handles of models that are not here.
    """
    if not handle:
        return None
    there = models_of(kernel.reasoner)[1:]
    return next((name for name in (handle, handle.partition("/")[2]) if name in there), None)


def name_in(handle: str | None) -> str:
    """The model's name in a handle: what stands behind the provider."""
    return (handle or "").partition("/")[2] or handle or ""


def default_handle(kernel: Kernel, spec: Json) -> str:
    """The handle of the model that a definition's ``model`` section means, where no handle was given."""
    return f"{PROVIDER}/{spec.get('name') or kernel.reasoner.model or 'default'}"


def embedding_handle(kernel: Kernel) -> str:
    """The handle of the embedder."""
    return f"{PROVIDER}/{kernel.embedder.name.rpartition('/')[2]}"


def listed_model(kernel: Kernel, model: str) -> Json:
    """A model of the reasoner's, in the new form with every key of the old."""
    spec: Json = {"max_reply_tokens": REPLY_TOKENS}
    old = llm_config(kernel, f"{PROVIDER}/{model}", spec)
    window = kernel.reasoner.window_tokens
    return {
        **old,
        "name": model,
        "display_name": model,
        "provider_type": "openai",
        "provider_name": PROVIDER,
        "model_type": "llm",
        "max_context_window": window,
    }


def listed_embedder(config: Json) -> Json:
    """The embedder, of which ``config`` is the old form."""
    name = config["embedding_model"]
    return {
        **config,
        "name": name,
        "display_name": name,
        "provider_type": "openai",
        "provider_name": PROVIDER,
        "model_type": "embedding",
    }
