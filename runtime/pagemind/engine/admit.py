"""Admit: what a request may bring to a conversation in which calls wait for an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import check_model
from pagemind.errors import MessageTooLong, PendingApproval, UnknownApproval
from pagemind.memory.waiting import Pending, answers, asked_last, pending
from pagemind.records import Approval, Request
from pagemind.records.text import clean_text
from pagemind.records.view import Resident
from pagemind.store import runs, views
from pagemind.store.database import AsyncSession
from pagemind.toolbox.calls import cut_middle


def storable(request: Request, *, limit_chars: int, result_limit_chars: int) -> Request:
    """The request as it will be stored: texts without what a store refuses, results of a client's tools no longer than others.

    Raises MessageTooLong for instructions that are.
    """
    asked = request.to_json()
    if not asked:
        return request
    if len(request.instructions or "") > limit_chars:
        raise MessageTooLong(length=f"{len(request.instructions or ''):,}", unit="characters", limit=f"{limit_chars:,}")
    clean = Request.from_json(_cleaned(asked))
    return replace(clean, approvals=tuple(_cut(each, result_limit_chars) for each in clean.approvals))


def _cut(approval: Approval, limit_chars: int) -> Approval:
    result = approval.result
    return approval if result is None else replace(approval, result=cut_middle(result, limit_chars))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {clean_text(str(key)): _cleaned(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


async def admitted(kernel: Kernel, resident: Resident, request: Request, key: str | None, request_hash: str) -> str | None:
    """The idempotency key under which the request comes in.

    An answer has one of its own: clients send a POST again, and what was approved must not run twice. Raises PendingApproval
    (a message while calls wait), UnknownApproval (an answer to other calls than those), BadModel.
    """
    if request.model:
        check_model(resident.agent, request.model)
    if not request.approvals and pending(resident.messages) is None:
        return key
    conversation_id = resident.conversation.id
    async with kernel.database.transaction() as session:
        fresh = await views.of_conversation(session, conversation_id)
        busy = await runs.unfinished(session, conversation_id)
        if key is not None and await runs.by_key(session, conversation_id, key):
            return key
        asked = pending(fresh.messages)
        if request.approvals:
            question = None if busy else asked
            return await key_of_answer(session, fresh, question, request, key, request_hash)
    if asked is not None and not busy:
        raise PendingApproval(message_id=asked.message.id)
    return key


async def key_of_answer(
    session: AsyncSession, view: Resident, asked: Pending | None, request: Request, key: str | None, request_hash: str
) -> str:
    """The key of an answer to what is ``asked``; where that is nothing, only the answer that came before may come again."""
    given = [each.call_id for each in request.approvals]
    question = asked or asked_last(view.messages, given)
    if question is None or not answers(question, request.approvals):
        expected = ", ".join(question.waiting) if question else "none"
        raise UnknownApproval(given=", ".join(given)[:500], expected=expected)
    own = key or f"approval/{question.message.id}"
    before = await runs.by_key(session, view.conversation.id, own)
    if asked is None:
        if before is None or before.request_hash != request_hash:
            raise UnknownApproval(given=", ".join(given)[:500], expected="none")
        return own
    while before is not None:  # it ended before it carried the answer out
        own = f"approval/{before.id}"
        before = await runs.by_key(session, view.conversation.id, own)
    return own
