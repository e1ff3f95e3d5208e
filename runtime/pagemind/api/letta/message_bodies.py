"""What a request brings: messages, answers to calls that wait, and how the run is to be made and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from pagemind.api.letta.message_json import Json, Showing
from pagemind.api.problems import Problem, bad_request
from pagemind.api.values import Metadata, Moment, Words
from pagemind.errors import EmptyMessage
from pagemind.records import Approval, Input, Request, Role

MOST_MESSAGES = 100
MOST_PARTS = 200
MOST_CALLS = 100
MOST_CHARS = 1_000_000
"""Of one text; how much of it fits the window is looked at when it is accepted."""
Text = Annotated[str, Field(max_length=MOST_CHARS)]
Id = Annotated[str, Field(max_length=200)]
Kind = Literal[
    "system_message", "user_message", "assistant_message", "reasoning_message", "hidden_reasoning_message",
    "tool_call_message", "tool_return_message", "approval_request_message", "approval_response_message", "summary_message",
    "event_message",
]  # fmt: skip
Types = Annotated[list[Kind] | None, Field(max_length=50)]


class Part(BaseModel):
    """A part of a content. Models here have no eyes: text alone can be sent."""

    type: Id = "text"
    text: Text | None = None

    def words(self) -> str:
        """Its text; 400 where it has none."""
        if self.type == "image":
            raise bad_request("The model has no eyes: an image cannot be sent. Describe it in words instead.")
        if self.type != "text" or self.text is None:
            raise bad_request(f"A part of type {self.type[:40]!r} cannot be sent: send parts of type 'text'.")
        return self.text


Content = Text | Annotated[list[Part], Field(max_length=MOST_PARTS)]


def content_of(content: str | Sequence[Part]) -> tuple[str, list[Json] | None]:
    """The text, and its parts where they are several."""
    if isinstance(content, str):
        return content, None
    texts = [part.words() for part in content]
    parts: list[Json] = [{"type": "text", "text": text} for text in texts]
    return "\n".join(texts), parts if len(parts) > 1 else None


class MessageCreate(BaseModel):
    """A message."""

    type: Literal["message"] | None = "message"
    role: Literal["user", "system", "assistant"]
    content: Content
    name: Id | None = None
    otid: Id | None = None
    sender_id: Id | None = None
    group_id: Id | None = None

    def as_input(self) -> Input:
        """The message as the runtime takes it."""
        text, parts = content_of(self.content)
        return Input(text, Role(self.role), parts, otid=self.otid, sender=self.sender_id, name=self.name)


class Decision(BaseModel):
    """Whether a call may run."""

    type: Literal["approval"] | None = "approval"
    tool_call_id: Id
    approve: bool
    reason: Text | None = None

    def as_approval(self) -> Approval:
        """The decision as the runtime takes it."""
        return Approval(self.tool_call_id, self.approve, self.reason or "")


class ClientReturn(BaseModel):
    """What a client's tool gave back."""

    type: Literal["tool"] | None = "tool"
    tool_call_id: Id
    tool_return: Content
    status: Literal["success", "error"] = "success"

    def as_approval(self) -> Approval:
        """The return as the runtime takes it."""
        status: Literal["ok", "error"] = "ok" if self.status == "success" else "error"
        return Approval(self.tool_call_id, result=content_of(self.tool_return)[0], status=status)


def answer_kind(value: Any) -> str:
    """Which of the two an answer is."""
    if isinstance(value, dict):
        return "tool" if value.get("type") == "tool" or "tool_return" in value else "approval"  # pyright: ignore
    return "tool" if isinstance(value, ClientReturn) else "approval"


Answer = Annotated[Annotated[Decision, Tag("approval")] | Annotated[ClientReturn, Tag("tool")], Discriminator(answer_kind)]


class ApprovalCreate(BaseModel):
    """Answers to calls that wait. The older form answers one, by ``approval_request_id``."""

    type: Literal["approval"]
    approvals: Annotated[list[Answer] | None, Field(max_length=MOST_CALLS)] = None
    approve: bool | None = None
    approval_request_id: Id | None = None
    reason: Text | None = None
    otid: Id | None = None
    group_id: Id | None = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """Refuse one without an answer."""
        if not self.approvals and (self.approve is None or self.approval_request_id is None):
            raise ValueError("approvals must not be empty")
        return self

    def as_approvals(self) -> list[Approval]:
        """The answers as the runtime takes them."""
        if self.approvals:
            return [each.as_approval() for each in self.approvals]
        return [Approval(self.approval_request_id or "", bool(self.approve), self.reason or "")]


class ToolReturnCreate(BaseModel):
    """What a client's tools gave back."""

    type: Literal["tool_return"]
    tool_returns: Annotated[list[ClientReturn], Field(min_length=1, max_length=MOST_CALLS)]
    otid: Id | None = None
    group_id: Id | None = None

    def as_approvals(self) -> list[Approval]:
        """The returns as the runtime takes them."""
        return [each.as_approval() for each in self.tool_returns]


def message_kind(value: Any) -> str:
    """Which kind of message an item of a request is."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)  # pyright: ignore
    return kind if kind in ("approval", "tool_return") else "message"


Item = Annotated[
    Annotated[MessageCreate, Tag("message")]
    | Annotated[ApprovalCreate, Tag("approval")]
    | Annotated[ToolReturnCreate, Tag("tool_return")],
    Discriminator(message_kind),
]


class ClientTool(BaseModel):
    """A tool that the caller runs."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: Words | None = None
    parameters: Metadata | None = None


class MessageRequest(BaseModel):
    """A request to an agent."""

    messages: Annotated[list[Item] | None, Field(max_length=MOST_MESSAGES)] = None
    input: Content | None = None
    max_steps: int = Field(default=50, ge=0, le=10_000)
    use_assistant_message: bool = True
    assistant_message_tool_name: Id = "send_message"
    assistant_message_tool_kwarg: Id = "message"
    include_return_message_types: Types = None
    include_compaction_messages: bool = False
    client_tools: Annotated[list[ClientTool] | None, Field(max_length=MOST_CALLS)] = None
    override_model: Id | None = None
    override_system: Text | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Refuse a request with neither messages nor input, or with both."""
        if self.messages is None and self.input is None:
            raise ValueError("Give 'messages', or 'input' in their place.")
        if self.messages and self.input is not None:
            raise ValueError("Give either 'messages' or 'input', not both.")
        return self

    def inputs(self) -> list[Input]:
        """The messages as the runtime takes them; 400 for an empty one, 422 where there are none at all."""
        items = self.messages or []
        if self.input is not None:
            items = [MessageCreate(role="user", content=self.input)]
        if not items:
            raise Problem(422, "There must be at least one message.")
        inputs = [item.as_input() for item in items if isinstance(item, MessageCreate)]
        if any(not each.content.strip() for each in inputs):
            raise bad_request(str(EmptyMessage()))
        return inputs

    def approvals(self) -> tuple[Approval, ...]:
        """The answers to calls that wait."""
        items = [item for item in self.messages or () if not isinstance(item, MessageCreate)]
        return tuple(answer for item in items for answer in item.as_approvals())

    def otids(self) -> list[str]:
        """The sender's own ids of the messages, of those that have one."""
        return [item.otid for item in self.messages or () if item.otid]

    def as_request(self, model: Json) -> Request:
        """What this run is to do otherwise; ``model`` are the keys of the model asked for."""
        tools: tuple[Json, ...] = tuple(
            {
                "name": each.name,
                "description": each.description or "",
                "parameters": each.parameters or {"type": "object", "properties": {}},
            }
            for each in self.client_tools or ()
        )
        return Request(approvals=self.approvals(), client_tools=tools, instructions=self.override_system, model=model)

    def showing(self) -> Showing:
        """How the run is to be shown."""
        types = self.include_return_message_types
        return Showing(
            speaks=self.use_assistant_message,
            tool=self.assistant_message_tool_name,
            argument=self.assistant_message_tool_kwarg,
            types=None if types is None else frozenset(types),
            compactions=self.include_compaction_messages,
        )

    def config(self) -> Json:
        """What the run gives back of how it is shown."""
        return {
            "use_assistant_message": self.use_assistant_message,
            "assistant_message_tool_name": self.assistant_message_tool_name,
            "assistant_message_tool_kwarg": self.assistant_message_tool_kwarg,
            "include_return_message_types": self.include_return_message_types,
        }


class StreamingRequest(MessageRequest):
    """A request whose answer may be a stream."""

    streaming: bool = False
    stream_tokens: bool = False
    include_pings: bool = True
    background: bool = False


class ConversationRequest(StreamingRequest):
    """A request to a conversation: a stream, unless it says otherwise."""

    streaming: bool = True
    agent_id: Id | None = None


class AsyncRequest(MessageRequest):
    """A request that nobody waits for."""

    callback_url: Annotated[str | None, Field(max_length=2_000)] = None


class CancelRequest(BaseModel):
    """Which runs to cancel; all of the agent's that go on, where none is named."""

    run_ids: Annotated[list[Id] | None, Field(max_length=1_000)] = None


class StreamRequest(BaseModel):
    """Where to go on with a run's stream."""

    agent_id: Id | None = None
    run_id: Id | None = None
    otid: Id | None = None
    starting_after: int = Field(default=0, ge=0, le=2**53)
    include_pings: bool | None = True
    poll_interval: float | None = None
    batch_size: int | None = None


class ResetRequest(BaseModel):
    """How to reset an agent's messages."""

    add_default_initial_messages: bool = False


class SearchRequest(BaseModel):
    """What to look for in messages."""

    query: Annotated[str | None, Field(max_length=10_000)] = None
    search_mode: Literal["vector", "fts", "hybrid"] = "hybrid"
    roles: Annotated[list[Id] | None, Field(max_length=20)] = None
    agent_id: Id | None = None
    conversation_id: Id | None = None
    limit: int = Field(default=50, ge=1, le=100)
    start_date: Moment | None = None
    end_date: Moment | None = None
