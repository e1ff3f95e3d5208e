"""What the tests of rules and approvals share."""

from __future__ import annotations

from typing import Any

from pagemind.events import Event, Replied, RunEnded, ToolReturned
from pagemind.records import Agent, Approval, Input, Json, Message, Request, Role, Run
from pagemind.store.agents import get as get_agent
from pagemind.testing import Bench


async def change(chat: Bench, **values: Any) -> Agent:
    """Change the bench's agent in the store."""
    async with chat.runtime.kernel.database.transaction() as session:
        agent = await get_agent(session, chat.agent.id)
        for name, value in values.items():
            setattr(agent, name, value)
        await session.flush()
    return agent


async def rules(chat: Bench, *given: Json) -> None:
    """Give the agent these rules."""
    await change(chat, rules=list(given))


async def events_of(chat: Bench, run: Run) -> list[Event]:
    """All events of the run to its end."""
    return [event async for event in chat.runtime.follow(run.id)]


async def said(chat: Bench, text: str, **request: Any) -> tuple[str, list[Event]]:
    """Send a text; the stop reason and the events."""
    run = await chat.runtime.accept(chat.conversation.id, text, request=Request(**request))
    events = await events_of(chat, run)
    return stop(events), events


async def answer(
    chat: Bench, *approvals: Approval, inputs: list[Input] | None = None, **request: Any
) -> tuple[str, list[Event]]:
    """Answer calls that wait; the stop reason and the events."""
    asked = Request(approvals=approvals, **request)
    run = await chat.runtime.accept(chat.conversation.id, inputs or [], request=asked)
    events = await events_of(chat, run)
    return stop(events), events


def stop(events: list[Event]) -> str:
    """Why the run ended."""
    last = events[-1]
    assert isinstance(last, RunEnded)
    return last.stop_reason


def returns(events: list[Event]) -> list[tuple[str, str, str]]:
    """Name, status and text of the tools' returns."""
    return [(event.name, event.status, event.result) for event in events if isinstance(event, ToolReturned)]


def words(events: list[Event]) -> list[str]:
    """What the assistant said."""
    return [event.text for event in events if isinstance(event, Replied) and event.text]


async def history(chat: Bench) -> list[Message]:
    """The conversation's messages."""
    return await chat.runtime.history(chat.conversation.id)


def assert_well_formed(messages: list[Message]) -> None:
    """Places without a gap, and every call with exactly one return before anything else but an answer is said."""
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    waiting: list[str] = []
    for message in messages:
        if message.role == Role.approval:
            continue
        if message.role == Role.tool:
            assert message.call_id == waiting.pop(0)
        else:
            assert not waiting
        waiting += [each["id"] for each in message.calls or ()]
    assert not waiting
