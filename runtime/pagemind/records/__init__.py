"""The nouns. Tables are SQLModel classes; values that never reach a table are frozen dataclasses."""

from pagemind.records.agents import Agent, Tenant
from pagemind.records.base import Json, now
from pagemind.records.conversations import Conversation, Message, Role
from pagemind.records.edits import Append, Edit, Insert, Replace, Revert, Rewrite, edit_to_json
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

__all__ = [
    "Agent",
    "AgentArchive",
    "AgentBlock",
    "Append",
    "Archive",
    "Block",
    "BlockRevision",
    "CallPiece",
    "CallRequest",
    "Cause",
    "Completion",
    "Conversation",
    "Edit",
    "Epoch",
    "Insert",
    "Json",
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
    "Revert",
    "Rewrite",
    "Role",
    "Run",
    "RunEvent",
    "RunState",
    "Segments",
    "Step",
    "StopReason",
    "Tenant",
    "TextPiece",
    "TokenCounter",
    "ToolCall",
    "ToolSchema",
    "Usage",
    "edit_to_json",
    "now",
]
