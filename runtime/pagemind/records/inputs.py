"""What a request brings to a conversation: messages, answers to calls that wait, and what this one run is to do otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from pagemind.records.base import Json
from pagemind.records.conversations import Role


@dataclass(frozen=True)
class Input:
    """One message of a request. ``role`` is user, system or assistant; ``parts`` is the content as it came, if not one text."""

    content: str
    role: Role = Role.user
    parts: Sequence[Json] | None = None
    otid: str | None = None
    sender: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Approval:
    """The answer to a call that waits: whether it may run, or, from the client whose tool it is, what it gave back."""

    call_id: str
    approve: bool = True
    reason: str = ""
    result: str | None = None
    """A client's tool's return; None for a decision of a person."""
    status: Literal["ok", "error"] = "ok"


@dataclass(frozen=True)
class Request:
    """What one run is asked to do otherwise than its agent's definition says. Stored with the run: it survives a crash."""

    approvals: tuple[Approval, ...] = ()
    client_tools: tuple[Json, ...] = ()
    """Tools that the caller runs: ``{"name", "description", "parameters"}``, parameters as JSON Schema."""
    instructions: str | None = None
    """In the place of the agent's own."""
    model: Json = field(default_factory=dict[str, object])
    """Keys of the definition's ``model`` section that are different for this run."""

    def to_json(self) -> Json:
        """The request as JSON, without what is not asked for."""
        given = {name: value for name, value in vars(self).items() if value}
        return {**given, "approvals": [asdict(each) for each in self.approvals]} if self.approvals else given

    @classmethod
    def from_json(cls, data: Json) -> Request:
        """What `to_json` wrote."""
        return cls(
            approvals=tuple(Approval(**each) for each in data.get("approvals", ())),
            client_tools=tuple(data.get("client_tools", ())),
            instructions=data.get("instructions"),
            model=data.get("model", {}),
        )
