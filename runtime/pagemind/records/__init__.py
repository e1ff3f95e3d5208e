"""The nouns. Tables are SQLModel classes; values that never reach a table are frozen dataclasses."""

from pagemind.records.access import AgentIdentity, ApiKey, BlockIdentity, Identity, Scope, Tenancy
from pagemind.records.agents import Agent, Tenant
from pagemind.records.base import Json, now
from pagemind.records.conversations import Conversation, Message, Role
from pagemind.records.edits import Append, Edit, Insert, Replace, Revert, Rewrite, edit_to_json
from pagemind.records.files import AgentFile, AgentFolder, File, FileState, Folder
from pagemind.records.inputs import Approval, Input, Request
from pagemind.records.memory import (
    AgentArchive,
    AgentBlock,
    Archive,
    Block,
    BlockRevision,
    MessageEmbedding,
    Owner,
    Passage,
    PassageEmbedding,
)
from pagemind.records.paging import Cause, Epoch, PageFault
from pagemind.records.prompt import (
    CallPiece,
    CallRequest,
    Completion,
    Piece,
    Prompt,
    PromptMessage,
    ReasoningPiece,
    Segments,
    TextPiece,
    TokenCounter,
    ToolSchema,
    Usage,
)
from pagemind.records.runs import Run, RunEvent, RunState, Step, StopReason, ToolCall
from pagemind.records.search import MessageHit, PassageHit
from pagemind.records.tools import McpServer, StoredTool, ToolKind

__all__ = [
    "Agent",
    "AgentArchive",
    "AgentBlock",
    "AgentFile",
    "AgentFolder",
    "AgentIdentity",
    "ApiKey",
    "Append",
    "Approval",
    "Archive",
    "Block",
    "BlockIdentity",
    "BlockRevision",
    "CallPiece",
    "CallRequest",
    "Cause",
    "Completion",
    "Conversation",
    "Edit",
    "Epoch",
    "File",
    "FileState",
    "Folder",
    "Identity",
    "Input",
    "Insert",
    "Json",
    "McpServer",
    "Message",
    "MessageEmbedding",
    "MessageHit",
    "Owner",
    "PageFault",
    "Passage",
    "PassageEmbedding",
    "PassageHit",
    "Piece",
    "Prompt",
    "PromptMessage",
    "ReasoningPiece",
    "Replace",
    "Request",
    "Revert",
    "Rewrite",
    "Role",
    "Run",
    "RunEvent",
    "RunState",
    "Scope",
    "Segments",
    "Step",
    "StopReason",
    "StoredTool",
    "Tenancy",
    "Tenant",
    "TextPiece",
    "TokenCounter",
    "ToolCall",
    "ToolKind",
    "ToolSchema",
    "Usage",
    "edit_to_json",
    "now",
]
