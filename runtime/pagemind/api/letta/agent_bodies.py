"""Agents as they come: to be made, or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field

from pagemind.api.ids import ArchiveId, BlockId, FolderId, IdentityId, MessageId, ToolId
from pagemind.api.letta.agent_kinds import AgentKind
from pagemind.api.letta.block_bodies import BlockCreate
from pagemind.api.letta.model_json import MOST_TOKENS, WINDOW_LEAST, WINDOW_MOST, OldConfig, ResponseFormat, Settings
from pagemind.api.letta.tool_rules import ToolRules, kept_rules
from pagemind.api.values import Metadata, Moment, Name, Tags, Words, cleaned
from pagemind.definitions.schema import MAX_TEXT_CHARS
from pagemind.records import Json

UNSAFE = r'^[^/\\:*?"<>|\x00-\x1f\x7f]*$'
"""Names go into files' names, which these characters would break."""
MOST = 200

AgentName = Annotated[str, Field(max_length=500, pattern=UNSAFE), AfterValidator(cleaned)]
Instructions = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(cleaned)]
Secrets = Annotated[dict[Name, Annotated[str, Field(max_length=100_000)]], Field(max_length=MOST)]
ToolNames = Annotated[list[Name], Field(max_length=MOST)]
Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]


def known_zone(name: str) -> str:
    """The name, if it is one of a time zone."""
    if name not in available_timezones():
        raise ValueError("is no time zone of the IANA database")
    return name


Zone = Annotated[str, Field(max_length=100), AfterValidator(known_zone)]


class InitialMessage(BaseModel):
    """A message that a new agent begins with."""

    role: Literal["user", "system", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | Annotated[list[Metadata], Field(max_length=MOST)]
    name: Name | None = None
    otid: Name | None = None
    sender_id: Name | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if part.get("type") == "text" and "text" in part)


class AgentExtra(BaseModel):
    """What is kept of an agent and given back; the runtime reads none of it."""

    compaction_settings: Metadata | None = None
    deployment_id: Words | None = None
    embedding: Name | None = None
    embedding_config: Metadata | None = None
    enable_sleeptime: bool | None = None
    entity_id: Words | None = None
    hidden: bool | None = None
    max_files_open: Annotated[int, Field(ge=0, le=1000)] | None = None
    message_buffer_autoclear: bool | None = None
    metadata: Metadata | None = None
    per_file_view_window_char_limit: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    project_id: Words | None = None
    response_format: ResponseFormat | None = None
    template_id: Words | None = None
    base_template_id: Words | None = None
    timezone: Zone | None = None

    def kept(self) -> Json:
        """What was given of it."""
        return self.model_dump(include=set(AgentExtra.model_fields) & self.model_fields_set)


class AgentBody(AgentExtra):
    """What can be said of an agent both when it is made and later."""

    block_ids: Annotated[list[BlockId], Field(max_length=MOST)] | None = None
    context_window_limit: Annotated[int, Field(ge=WINDOW_LEAST, le=WINDOW_MOST)] | None = None
    description: Words | None = None
    folder_ids: Annotated[list[FolderId], Field(max_length=MOST)] | None = None
    identity_ids: Annotated[list[IdentityId], Field(max_length=MOST)] | None = None
    llm_config: OldConfig | None = None
    max_tokens: Tokens | None = None
    model: Name | None = None
    model_settings: Settings | None = None
    name: AgentName | None = None
    parallel_tool_calls: bool | None = None
    reasoning: bool | None = None
    secrets: Secrets | None = None
    source_ids: Annotated[list[FolderId], Field(max_length=MOST)] | None = None
    system: Instructions | None = None
    tags: Tags | None = None
    tool_exec_environment_variables: Secrets | None = None
    tool_ids: Annotated[list[ToolId], Field(max_length=MOST)] | None = None
    tool_rules: ToolRules | None = None

    @property
    def handle(self) -> str | None:
        """The model's handle, by whichever of the two forms it came."""
        return self.model or (self.llm_config.full_handle if self.llm_config else None)

    @property
    def environment(self) -> Mapping[str, str] | None:
        """The secrets, by whichever name they came."""
        return self.tool_exec_environment_variables if self.secrets is None else self.secrets

    @property
    def folders(self) -> list[Any] | None:
        """The folders, by whichever name they came."""
        if self.folder_ids is None and self.source_ids is None:
            return None
        return list(dict.fromkeys([*(self.folder_ids or ()), *(self.source_ids or ())]))

    def model_keys(self) -> Json:
        """The keys of the definition's ``model`` section that are asked for."""
        old, settings = self.llm_config, self.model_settings or {}
        asked = {
            "temperature": settings.get("temperature", old.temperature if old else None),
            "max_reply_tokens": self.max_tokens or settings.get("max_output_tokens") or (old.max_tokens if old else None),
            "window_tokens": self.context_window_limit or (old.context_window if old else None),
            "parallel_calls": settings.get("parallel_tool_calls", self.parallel_tool_calls),
            "response_format": self.response_format or settings.get("response_format"),
        }
        return {name: value for name, value in asked.items() if value is not None}

    def rules(self) -> list[Json]:
        """The rules as they are kept."""
        return kept_rules(self.tool_rules or ())


class AgentCreate(AgentBody):
    """An agent to make."""

    agent_type: AgentKind | None = None
    archive_ids: Annotated[list[ArchiveId], Field(max_length=MOST)] | None = None
    include_base_tool_rules: bool | None = None
    include_base_tools: bool | None = True
    include_default_source: bool | None = False
    include_multi_agent_tools: bool | None = False
    initial_message_sequence: Annotated[list[InitialMessage], Field(max_length=1000)] | None = None
    memory_blocks: Annotated[list[BlockCreate], Field(max_length=MOST)] | None = None
    tools: ToolNames | None = None


class AgentUpdate(AgentBody):
    """What to change of an agent; lists replace, what is not given stays."""

    last_run_completion: Moment | None = None
    last_run_duration_ms: Annotated[int, Field(ge=0, le=2**53)] | None = None
    last_stop_reason: Name | None = None
    message_ids: Annotated[list[MessageId], Field(max_length=10_000)] | None = None
