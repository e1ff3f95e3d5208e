"""Accept: an input becomes a run and a message in one transaction, and only then is it answered (contract D1, D7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func

from pagemind.engine.policy import Limits, limits_of
from pagemind.errors import EmptyMessage, IdempotencyConflict, MessageTooLong
from pagemind.faults import reach
from pagemind.records import Approval, Input, Json, Message, Request, Role, Run, now
from pagemind.records.text import clean_text
from pagemind.settings import Settings
from pagemind.store import agents, conversations, history, runs
from pagemind.store.database import Database

# English has about four characters a token, other languages fewer: a longer text does not fit the window.
CHARS_PER_TOKEN = 4
NOTHING_ELSE = Request()


async def accept(
    database: Database,
    settings: Settings,
    conversation_id: UUID,
    inputs: Sequence[Input],
    *,
    request: Request = NOTHING_ELSE,
    limits: Limits | None,
    limit_chars: int,
    idempotency_key: str | None = None,
    background: bool = False,
    extra: Json | None = None,
) -> Run:
    """Store the inputs and their run; when this returns, neither is ever lost.

    ``limits`` are the agent's own unless given. The same key with the same inputs joins the run accepted before. Raises
    EmptyMessage, MessageTooLong, IdempotencyConflict, UnknownRecord (no such conversation), StoreUnavailable (nothing was
    accepted).
    """
    given = [replace(each, content=checked(each.content, limit_chars)) for each in inputs]
    if not given and not request.approvals:
        raise EmptyMessage
    request_hash = digest(given, request)
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
                request=request.to_json(),
                idempotency_key=idempotency_key,
                request_hash=request_hash,
                background=background,
                extra=extra or {},
            ),
        )
        await history.add(session, messages_of(run, given, request.approvals))
        await conversations.change(session, conversation.id, updated_at=func.now())
        reach("accept.before_commit")
    reach("accept.after_commit")
    return run


def digest(inputs: Sequence[Input], request: Request) -> str:
    """What tells one request from another under the same key."""
    said = json.dumps([[asdict(each) for each in inputs], request.to_json()], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def messages_of(run: Run, inputs: Sequence[Input], approvals: Sequence[Approval]) -> list[Message]:
    """The run's inputs as messages that wait for their place, a microsecond apart: that is their order."""
    moment = now()
    rows = [
        Message(
            tenant_id=run.tenant_id,
            conversation_id=run.conversation_id,
            run_id=run.id,
            role=each.role,
            content=each.content,
            parts=list(each.parts) if each.parts is not None else None,
            otid=each.otid,
            sender=each.sender,
            name=each.name,
        )
        for each in inputs
    ]
    if approvals:
        answer = Message(tenant_id=run.tenant_id, conversation_id=run.conversation_id, run_id=run.id, role=Role.approval)
        answer.approvals = [asdict(each) for each in approvals]
        rows.insert(0, answer)
    for place, row in enumerate(rows):
        row.created_at = moment + timedelta(microseconds=place)
    return rows


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
