"""Accept: an input becomes a run and a message in one transaction, and only then is it answered (contract D1, D7)."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import func

from pagemind.engine.policy import Limits, limits_of
from pagemind.errors import EmptyMessage, IdempotencyConflict, MessageTooLong
from pagemind.faults import reach
from pagemind.records import Message, Role, Run
from pagemind.records.text import clean_text
from pagemind.settings import Settings
from pagemind.store import agents, conversations, history, runs
from pagemind.store.database import Database

# English has about four characters a token, other languages fewer: a longer text does not fit the window.
CHARS_PER_TOKEN = 4


async def accept(
    database: Database,
    settings: Settings,
    conversation_id: UUID,
    text: str,
    *,
    limits: Limits | None,
    limit_chars: int,
    idempotency_key: str | None = None,
    background: bool = False,
) -> Run:
    """Store the input and its run; when this returns, neither is ever lost.

    ``limits`` are the agent's own unless given. The same key with the same text joins the run accepted before. Raises
    EmptyMessage, MessageTooLong, IdempotencyConflict, UnknownRecord (no such conversation), StoreUnavailable (nothing was
    accepted).
    """
    content = checked(text, limit_chars)
    request_hash = hashlib.sha256(content.encode()).hexdigest()
    async with database.transaction() as session:
        # The lock puts concurrent inputs of a conversation in one order (D5), and the same key behind itself (D7).
        conversation = await conversations.get(session, conversation_id, lock=True)
        if idempotency_key is not None:
            before = await runs.by_key(session, conversation_id, idempotency_key)
            if before is not None:
                return joined(before, request_hash)
        limits = limits or limits_of(await agents.get(session, conversation.agent_id), settings)
        run = await runs.add(
            session,
            Run(
                tenant_id=conversation.tenant_id,
                conversation_id=conversation.id,
                agent_id=conversation.agent_id,
                limits=asdict(limits),
                idempotency_key=idempotency_key,
                request_hash=request_hash,
                background=background,
            ),
        )
        message = Message(
            tenant_id=run.tenant_id, conversation_id=conversation.id, run_id=run.id, role=Role.user, content=content
        )
        await history.add(session, [message])
        await conversations.change(session, conversation.id, updated_at=func.now())
        reach("accept.before_commit")
    reach("accept.after_commit")
    return run


def joined(run: Run, request_hash: str) -> Run:
    """The run accepted before under the same key; IdempotencyConflict if its text was another."""
    if run.request_hash != request_hash:
        raise IdempotencyConflict(key=run.idempotency_key)
    return run


def checked(text: str, limit_chars: int) -> str:
    """The text as it will be stored; EmptyMessage or MessageTooLong if it cannot be."""
    if len(text) > limit_chars:
        raise MessageTooLong(length=f"{len(text):,}", unit="characters", limit=f"{limit_chars:,}")
    content = clean_text(text)
    if not content.strip():
        raise EmptyMessage
    return content
