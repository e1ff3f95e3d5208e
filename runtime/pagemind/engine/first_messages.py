"""The messages that an agent begins with: in its main conversation, as if they had been said, though no run made them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.engine.kernel import Kernel
from pagemind.memory.compiler import as_prompt, as_prompts
from pagemind.records import Conversation, Input, Message, Role, now
from pagemind.store import conversations, history

APART = timedelta(microseconds=1)
"""Between two of them, so that they have an order by time, too."""


async def counted(kernel: Kernel, conversation: Conversation, first: Sequence[Input]) -> list[Message]:
    """The messages with their places, counted by the reasoner; nothing is stored."""
    began = now() - APART * len(first)
    made = [
        Message(
            tenant_id=conversation.tenant_id,
            conversation_id=conversation.id,
            seq=seq,
            role=said.role,
            content=said.content,
            parts=None if said.parts is None else list(said.parts),
            otid=said.otid,
            sender=said.sender,
            name=said.name,
            stamped=seq == 1 and said.role == Role.user,
            created_at=began + APART * seq,
        )
        for seq, said in enumerate(first, start=1)
    ]
    for message in made:
        message.tokens = await kernel.count_added(*(as_prompts(message) if message.stamped else [as_prompt(message)]))
    return made


async def seed(session: AsyncSession, conversation: Conversation, first: Sequence[Message]) -> None:
    """Store them in the new conversation, which they belong to."""
    if first:
        await history.add(session, first)
        turns = sum(message.role == Role.user for message in first)
        await conversations.append(session, conversation.id, len(first), {}, turns=turns)
