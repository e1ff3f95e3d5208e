"""Closing: calls that nobody answered get returns, so that the history may go on (contract D6)."""

from __future__ import annotations

from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.errors import ConversationBusy
from pagemind.memory.rules import UNANSWERED
from pagemind.memory.waiting import Pending, asked_by
from pagemind.model.tokens import estimate
from pagemind.records import Message, Role, now
from pagemind.store import conversations, history, messages, runs
from pagemind.store.database import AsyncSession

PASSED_OVER = f"{UNANSWERED} the conversation went on without an answer."
WITHDRAWN = f"{UNANSWERED} the request was cancelled."


def returns_of(asked: Pending, run_id: UUID | None, text: str) -> list[Message]:
    """A return for each of the calls that wait, all with that text."""
    message, at = asked.message, now()
    return [
        Message(
            tenant_id=message.tenant_id,
            conversation_id=message.conversation_id,
            run_id=run_id,
            role=Role.tool,
            content=text,
            call_id=call.id,
            name=call.name,
            status="error",
            created_at=at,
        )
        for call in asked.calls
    ]


async def withdraw(kernel: Kernel, conversation_id: UUID) -> UUID | None:
    """Take back the question that the conversation waits with: its calls are not run. The run that asked; None without one.

    Raises UnknownRecord, ConversationBusy where a run goes on: cancel that.
    """
    async with kernel.database.transaction() as session:
        await conversations.get(session, conversation_id, lock=True)
        if await runs.unfinished(session, conversation_id):
            raise ConversationBusy
        asked = await close(session, conversation_id)
    kernel.residents.drop(conversation_id)
    return asked.message.run_id if asked else None


async def close(session: AsyncSession, conversation_id: UUID) -> Pending | None:
    """Give the calls that wait, if any do, their returns; the conversation must be locked, and no run go on in it."""
    asked = asked_by(await messages.pending(session, conversation_id))
    if asked is None:
        return None
    returns = returns_of(asked, asked.message.run_id, WITHDRAWN)
    after = await conversations.append(session, conversation_id, len(returns), {})
    for place, message in enumerate(returns):
        message.seq, message.tokens = after - len(returns) + place, estimate(message.content)
    await history.add(session, returns)
    return asked
