"""Calls that wait: a person has to approve of them, or the client whose tools they call has to run them. Pure.

While they wait they stand at the end of the history without returns, and in no prompt (contract D6).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pagemind.records import Approval, CallRequest, Message, Role


@dataclass(frozen=True)
class Pending:
    """An assistant's message whose calls have no returns yet. ``waiting`` are the ids of those that somebody has to answer;
    the others run when these are answered."""

    message: Message
    calls: tuple[CallRequest, ...]
    waiting: tuple[str, ...]


def pending(messages: Sequence[Message]) -> Pending | None:
    """The calls at the end of the history that wait; None where there are none. An approval in between changes nothing."""
    last = next((each for each in reversed(messages) if each.role != Role.approval), None)
    return asked_by(last)


def asked_last(messages: Sequence[Message], call_ids: Collection[str]) -> Pending | None:
    """The newest message that waited for an answer to just these calls, answered or not."""
    found = (asked_by(each) for each in reversed(messages))
    return next((each for each in found if each is not None and set(each.waiting) == set(call_ids)), None)


def asked_by(message: Message | None) -> Pending | None:
    """The calls with which the message waits, or waited; None where it did not."""
    if message is None or not message.needs_approval or not message.calls:
        return None
    calls = tuple(CallRequest(call["id"], call["name"], call["arguments"]) for call in message.calls)
    marked = tuple(call["id"] for call in message.calls if call.get("waits"))
    return Pending(message, calls, marked or tuple(call.id for call in calls))


def closed(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages without calls at their end that wait."""
    return messages[:-1] if messages and pending(messages[-1:]) else messages


def answers(waiting: Pending, approvals: Sequence[Approval]) -> bool:
    """Whether the approvals answer all of the calls that wait, each once, and no others."""
    given = [each.call_id for each in approvals]
    return len(given) == len(set(given)) and set(given) == set(waiting.waiting)
