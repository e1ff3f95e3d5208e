"""A chat in progress: which agent, which conversation, which run, and how full the window is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pagemind.cli.completion import remember_agents
from pagemind.cli.first import agents_or_first
from pagemind.cli.memory_views import known_block
from pagemind.cli.options import conversation_id
from pagemind.cli.person import person
from pagemind.engine.runtime import Runtime
from pagemind.errors import StoreUnavailable
from pagemind.events import Compacted, Event, RunEnded, StepEnded, StepStarted
from pagemind.records.agents import Agent
from pagemind.records.conversations import Conversation
from pagemind.records.memory import Block
from pagemind.records.runs import Run

DEFAULT_AGENT = "assistant"
# How long a cancelled run may take to end before the screen leaves without it.
CANCEL_SECONDS = 15.0


@dataclass
class Meter:
    """How full the window is and what was paged, as the status line shows it."""

    context_tokens: int = 0
    window_tokens: int = 0
    paged_in: int = 0
    paged_out: int = 0

    @property
    def percent(self) -> int:
        """The share of the window that is used, in percent."""
        return round(100 * self.context_tokens / self.window_tokens) if self.window_tokens else 0

    def watch(self, event: Event) -> None:
        """Keep up with a run."""
        match event:
            case StepStarted(prompt_tokens=used):
                self.context_tokens = used
            case StepEnded(context_tokens=used, window_tokens=window):
                self.context_tokens, self.window_tokens = used, window
            case Compacted():
                self.context_tokens = event.tokens_after
                self.paged_out += event.messages
            case _:
                pass


@dataclass
class Session:
    """One person's chat with one agent. ``runtime`` is shared, the rest changes as the person moves about."""

    runtime: Runtime
    agent: Agent
    conversation: Conversation
    meter: Meter = field(default_factory=Meter)
    agents: Sequence[Agent] = ()
    labels: Sequence[str] = ()

    @classmethod
    async def begin(cls, runtime: Runtime, *, agent: str | None, new: bool = False, conversation: str | None = None) -> Session:
        """Find the agent and the conversation: the one named, a new one, or the newest. UnknownAgent, UnknownRecord."""
        chosen = await choose_agent(runtime, agent)
        if new:
            found = await runtime.new_conversation(chosen)
        else:
            found = await runtime.conversation(chosen, conversation_id(conversation) if conversation else None)
        session = cls(runtime, chosen, found)
        await session.refresh()
        return session

    @property
    def author(self) -> str:
        """Who edits, in block histories: ``person:<login>``."""
        return person()

    async def accept(self, text: str, *, background: bool = False) -> Run:
        """Hand the message over; it is stored when this returns. BadInput, StoreUnavailable."""
        return await self.runtime.accept(self.conversation.id, text, background=background)

    async def carry(self, run: Run, show: Callable[[Event], Awaitable[None]]) -> RunEnded:
        """Follow the run to its end, showing each event. Interrupted, it cancels the run: nothing goes on unseen."""
        try:
            async for event in self.runtime.follow(run.id):
                self.meter.watch(event)
                await show(event)
                if isinstance(event, RunEnded):
                    return event
        except asyncio.CancelledError:
            await asyncio.shield(self._cancel(run))
            raise
        raise StoreUnavailable(f"the events of run {run.id} ended early")

    async def _cancel(self, run: Run) -> None:
        """Cancel the run and see it end: who leaves before that leaves it to the next worker to end it."""
        await self.runtime.cancel(run.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                async for _ in self.runtime.follow(run.id):
                    pass

    async def block(self, label: str) -> Block:
        """The agent's block of this label. UnknownBlock."""
        return await known_block(self.runtime, self.agent, label)

    async def move(self, agent: Agent, conversation: Conversation) -> None:
        """Go on elsewhere."""
        self.agent, self.conversation = agent, conversation
        await self.refresh()

    async def refresh(self) -> None:
        """Read the figures of the status line and the names for completion."""
        report = await self.runtime.context(self.conversation.id)
        self.conversation = report.conversation
        self.labels = [block.label for block in report.blocks]
        self.agents = await self.runtime.agents()
        self.meter = Meter(report.segments.used, report.window_tokens, self.conversation.paged_in, self.conversation.paged_out)
        remember_agents(self.runtime.settings.home, [agent.name for agent in self.agents])


async def choose_agent(runtime: Runtime, name: str | None) -> Agent:
    """The agent of this name; without one the assistant, else the first. UnknownAgent."""
    agents = await agents_or_first(runtime)
    if name is not None:
        return await runtime.agent(name)
    return next((agent for agent in agents if agent.name == DEFAULT_AGENT), agents[0])
