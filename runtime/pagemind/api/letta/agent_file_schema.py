"""What an agent file (``.af``) of Letta 0.16 says, as far as it is read. Unknown keys are passed over; every size has a limit.

Ids in it are positional: ``agent-0``, ``block-1``, ``message-12``. ``passages`` is an addition of ours that Letta passes over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from pagemind.api.letta.tool_rules import MOST_RULES
from pagemind.api.values import Metadata, Moment, Name, Words, storable
from pagemind.records.text import clean_text

MOST_AGENTS = 100
MOST_BLOCKS = 10_000
MOST_TOOLS = 2_000
MOST_MESSAGES = 200_000
MOST_PASSAGES = 500_000
LONGEST_TEXT = 2_000_000
"""Characters in one text of the file."""
LONGEST_DOCUMENT = 50_000_000
MOST_BYTES = 256 * 1024 * 1024

Id = Annotated[str, Field(min_length=1, max_length=200)]
Long = Annotated[
    str, Field(max_length=LONGEST_TEXT), BeforeValidator(lambda text: clean_text(text) if isinstance(text, str) else text)
]


def loosely(value: Any) -> Any:
    """The object as it can be kept; anything else stands for none."""
    return storable(value) if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownArgumentType]


Loose = Annotated[dict[str, Any], BeforeValidator(loosely)]
Ids = Annotated[list[Id], Field(max_length=MOST_BLOCKS)]


class Model(BaseModel):
    """An ``llm_config``: which model the agent thought with."""

    model: Name | None = None
    handle: Name | None = None
    provider_name: Name | None = None
    model_endpoint_type: Name | None = None
    context_window: Annotated[int, Field(ge=0, le=2**53)] | None = None
    temperature: float | None = None
    max_tokens: Annotated[int, Field(ge=0, le=2**53)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Name | None = None

    @property
    def full_handle(self) -> str | None:
        """The handle, or one made of the provider and the model."""
        maker = self.provider_name or self.model_endpoint_type
        return self.handle or (f"{maker}/{self.model}" if maker and self.model else self.model)


class FileFunction(BaseModel):
    """The function of a call."""

    name: Annotated[str, Field(max_length=500)]
    arguments: Long = "{}"


class FileCall(BaseModel):
    """A tool call of an assistant's."""

    id: Id
    function: FileFunction


class FileReturn(BaseModel):
    """What a tool gave back; in ``approvals`` also a person's decision."""

    type: str | None = None
    tool_call_id: Id | None = None
    status: str | None = None
    func_response: Any = None
    tool_return: Any = None
    approve: bool | None = None
    reason: Words | None = None


class FileMessage(BaseModel):
    """A message of the agent's context."""

    id: Id
    role: Annotated[str, Field(max_length=50)]
    content: Long | Annotated[list[Loose], Field(max_length=1000)] | None = None
    name: Annotated[str, Field(max_length=500)] | None = None
    otid: Annotated[str, Field(max_length=500)] | None = None
    sender_id: Annotated[str, Field(max_length=500)] | None = None
    tool_calls: Annotated[list[FileCall], Field(max_length=1000)] | None = None
    tool_call_id: Id | None = None
    tool_returns: Annotated[list[FileReturn], Field(max_length=1000)] | None = None
    approve: bool | None = None
    approval_request_id: Id | None = None
    denial_reason: Words | None = None
    approvals: Annotated[list[FileReturn], Field(max_length=1000)] | None = None
    created_at: Moment | None = None


class FileAgent(BaseModel):
    """An agent of the file."""

    id: Id
    name: Annotated[str, Field(max_length=500)]
    description: Long | None = None
    system: Long | None = None
    agent_type: Annotated[str, Field(max_length=100)] | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=1000)] | None = None
    metadata: Metadata | None = None
    llm_config: Model | None = None
    embedding_config: Loose = {}
    model: Name | None = None
    embedding: Name | None = None
    response_format: Metadata | None = None
    timezone: Annotated[str, Field(max_length=100)] | None = None
    message_buffer_autoclear: bool | None = None
    max_files_open: int | None = None
    per_file_view_window_char_limit: int | None = None
    hidden: bool | None = None
    tool_ids: Ids | None = None
    block_ids: Ids | None = None
    source_ids: Ids | None = None
    identity_ids: Ids | None = None
    group_ids: Ids | None = None
    files_agents: Annotated[list[Loose], Field(max_length=MOST_BLOCKS)] = []
    tool_rules: Annotated[list[Loose], Field(max_length=MOST_RULES)] | None = None
    secrets: Annotated[dict[str, str | None], Field(max_length=1000)] | None = None
    tool_exec_environment_variables: Annotated[dict[str, str | None], Field(max_length=1000)] | None = None
    in_context_message_ids: Annotated[list[Id], Field(max_length=MOST_MESSAGES)] = []
    messages: Annotated[list[FileMessage], Field(max_length=MOST_MESSAGES)] = []


class FileBlock(BaseModel):
    """A block of the file."""

    id: Id
    label: Annotated[str, Field(max_length=500)]
    value: Long = ""
    limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    description: Long | None = None
    read_only: bool | None = None
    metadata: Metadata | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=1000)] | None = None
    is_template: bool | None = None
    template_name: Annotated[str, Field(max_length=500)] | None = None
    preserve_on_migration: bool | None = None
    hidden: bool | None = None


class FileTool(BaseModel):
    """A tool of the file; ``source_code`` is missing from Letta's own ones."""

    id: Id
    name: Annotated[str, Field(max_length=500)]
    tool_type: Annotated[str, Field(max_length=100)] | None = None
    source_type: Annotated[str, Field(max_length=100)] | None = None
    description: Long | None = None
    source_code: Long | None = None
    json_schema: Loose = {}
    tags: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=1000)] | None = None
    return_char_limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    default_requires_approval: bool | None = None
    pip_requirements: Annotated[list[Loose], Field(max_length=1000)] | None = None


class FileSource(BaseModel):
    """A folder of the file."""

    id: Id
    name: Annotated[str, Field(max_length=500)]
    description: Long | None = None
    instructions: Long | None = None
    metadata: Metadata | None = None


class FileDocument(BaseModel):
    """A document in a folder, as text."""

    id: Id
    source_id: Id
    file_name: Annotated[str, Field(max_length=1000)]
    original_file_name: Annotated[str, Field(max_length=1000)] | None = None
    file_type: Annotated[str, Field(max_length=200)] | None = None
    content: Annotated[str, Field(max_length=LONGEST_DOCUMENT)] | None = None


class FilePassage(BaseModel):
    """A passage of an agent's archive: our addition."""

    agent_id: Id
    text: Long
    tags: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=1000)] | None = None
    source: Words | None = None
    metadata: Metadata | None = None
    created_at: Moment | None = None


class AgentFile(BaseModel):
    """The whole file."""

    agents: Annotated[list[FileAgent], Field(max_length=MOST_AGENTS)]
    blocks: Annotated[list[FileBlock], Field(max_length=MOST_BLOCKS)] = []
    tools: Annotated[list[FileTool], Field(max_length=MOST_TOOLS)] = []
    groups: Annotated[list[Loose], Field(max_length=MOST_BLOCKS)] = []
    files: Annotated[list[FileDocument], Field(max_length=MOST_BLOCKS)] = []
    sources: Annotated[list[FileSource], Field(max_length=MOST_BLOCKS)] = []
    mcp_servers: Annotated[list[Loose], Field(max_length=MOST_BLOCKS)] = []
    passages: Annotated[list[FilePassage], Field(max_length=MOST_PASSAGES)] = []
    created_at: datetime | None = None
