"""Replies: what a completion asks for, judged before anything of it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pagemind.records import CallRequest, Completion, Json, Usage
from pagemind.toolbox.calls import MalformedCalls, ReadyCall, Tools, validate


@dataclass(frozen=True)
class Plain:
    """Text and no calls: the run ends here."""


@dataclass(frozen=True)
class Calls:
    """Calls that may run, in order."""

    ready: Sequence[ReadyCall]


@dataclass(frozen=True)
class Unusable:
    """Nothing of the reply may run; ``reason`` is for the model, with what to do instead."""

    reason: str


Judgement = Plain | Calls | Unusable


def judge(reply: Completion, tools: Tools, allowed: Sequence[str]) -> Judgement:
    """What the reply asks for. One malformed call makes the whole reply unusable: half of a plan is no plan."""
    if reply.calls and reply.finish_reason == "length":
        return Unusable("it was cut off at the length limit in the middle of a tool call. Call the tool again with less text.")
    if reply.calls:
        checked = validate(reply.calls, tools, allowed)
        return Unusable(checked.reason) if isinstance(checked, MalformedCalls) else Calls(checked)
    if not reply.text.strip():
        return Unusable("it was empty. Answer in words, or call a tool.")
    return Plain()


def to_json(reply: Completion) -> Json:
    """The completion as JSON, for a step that is stored while it acts."""
    return asdict(reply)


def from_json(data: Json) -> Completion:
    """The completion that `to_json` wrote."""
    fields: dict[str, Any] = dict(data)
    fields["calls"] = tuple(CallRequest(**call) for call in data["calls"])
    fields["usage"] = Usage(**data["usage"])
    return Completion(**fields)
