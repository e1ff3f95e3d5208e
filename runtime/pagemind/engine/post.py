"""Post: what agents say to each other. A message is an input to the other's main conversation, accepted once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.errors import BadArgument, RunFailed, TooManyHops, UnknownAgent
from pagemind.events import Event, Replied, RunEnded, ToolReturned
from pagemind.records import Agent, Json, RunState
from pagemind.records.view import View
from pagemind.store import agents

MOST_HOPS = 5
"""How often a message may call forth another one, so that two agents do not go on for ever."""
MOST_AGENTS = 20
NO_ANSWER = "It did not answer within {seconds:g} s. Its answer, if it comes, stays in its own conversation."
SPEAKS = "send_message"
"""The tool through which some agents say what they say."""
SPARE_SECONDS = 2.0


async def tell(kernel: Kernel, view: View, other: UUID, message: str, *, key: str, wait: bool) -> str:
    """Send a message from the view's agent to another; its answer. BadArgument, TooManyHops."""
    if other == view.agent.id:
        raise BadArgument(name="other_agent_id", advice="that is you: name another agent.")
    seconds = max(1.0, kernel.settings.tool_seconds - SPARE_SECONDS) if wait else None
    text = f"[From the agent {view.agent.name!r}, agent-{view.agent.id}]\n{message}"
    try:
        return await kernel.post(other, text, key=key, extra=one_hop_more(view), wait_seconds=seconds)
    except UnknownAgent:
        raise BadArgument(str(other), name="other_agent_id", advice="there is no agent of this id.") from None
    except TimeoutError:
        return NO_ANSWER.format(seconds=seconds or 0.0)


async def tell_all(
    kernel: Kernel, view: View, all_tags: Sequence[str], some_tags: Sequence[str], message: str, *, key: str
) -> str:
    """Send a message to the other agents with those tags, at most so many; their answers, each under its agent."""
    async with kernel.database.transaction() as session:
        everybody = await agents.all(session)
    fit = [each for each in everybody if each.id != view.agent.id and has_tags(each, all_tags, some_tags)][:MOST_AGENTS]
    if not fit:
        return "There is no other agent with these tags."
    answers = await asyncio.gather(*(told(kernel, view, each, message, key) for each in fit))
    return "\n\n".join(f"{each.name} (agent-{each.id}): {answer}" for each, answer in zip(fit, answers, strict=True))


async def told(kernel: Kernel, view: View, other: Agent, message: str, key: str) -> str:
    """The agent's answer, or why there is none."""
    try:
        return await tell(kernel, view, other.id, message, key=f"{key}/{other.id}", wait=True)
    except RunFailed as error:
        return f"It failed: {error.cause}"


def has_tags(agent: Agent, all_tags: Sequence[str], some_tags: Sequence[str]) -> bool:
    """Whether the agent has all of the one tags, and one of the others if there are any."""
    tags = set(agent.tags)
    return tags.issuperset(all_tags) and (not some_tags or not tags.isdisjoint(some_tags)) and bool(all_tags or some_tags)


def one_hop_more(view: View) -> Json:
    """What the other's run keeps, so that messages do not go round for ever. TooManyHops."""
    hops = int(view.run.extra.get("hops", 0)) + 1
    if hops > MOST_HOPS:
        raise TooManyHops(count=MOST_HOPS)
    return {"hops": hops, "from_agent": str(view.agent.id)}


async def spoken(events: AsyncIterator[Event]) -> str:
    """What an agent says in a run, in words or by its tool for that; RunFailed if the run does not end well."""
    said: list[str] = []
    async for event in events:
        match event:
            case Replied(text=text) if text.strip():
                said.append(text)
            case ToolReturned(name=name, arguments=arguments, status="ok") if name == SPEAKS:
                said.append(str(json.loads(arguments).get("message", "")))
            case RunEnded(state=RunState.failed | RunState.cancelled, stop_reason=reason, error=error):
                raise RunFailed(str(error or ""), reason=reason)
            case RunEnded(stop_reason="requires_approval"):
                said.append("(It waits for a person's approval.)")
            case _:
                pass
    return "\n".join(said) or "(It said nothing.)"
