"""Context: what stands in an agent's window, and what is out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import policy_of
from pagemind.engine.window import open_window
from pagemind.records import Agent, Block, Conversation, Message, Segments
from pagemind.records.view import Resident
from pagemind.store import passages, views
from pagemind.store.messages import count as count_messages


@dataclass(frozen=True)
class ContextReport:
    """The window by segment, the messages in it, and how much is paged out."""

    agent: Agent
    conversation: Conversation
    segments: Segments
    window_tokens: int
    blocks: Sequence[Block]
    resident: Sequence[Message]
    messages_total: int
    passages: int

    @property
    def messages_out(self) -> int:
        """Messages that are in recall memory only."""
        return self.messages_total - len(self.resident)


async def look(kernel: Kernel, conversation_id: UUID) -> tuple[Resident, ContextReport]:
    """The conversation's view and its report, as the next step would find them."""
    async with kernel.database.transaction() as session:
        view = await views.of_conversation(session, conversation_id)
        total = await count_messages(session, conversation_id)
        stored = await passages.count(session, view.agent.id)
    kernel = await kernel.for_agent(view.agent)
    policy = policy_of(view.agent, kernel.reasoner)
    window = await open_window(kernel, view, policy)
    report = ContextReport(
        agent=view.agent,
        conversation=view.conversation,
        segments=window.prompt.segments,
        window_tokens=policy.budget.window_tokens,
        blocks=view.blocks,
        resident=view.messages,
        messages_total=total,
        passages=stored,
    )
    return view, report
