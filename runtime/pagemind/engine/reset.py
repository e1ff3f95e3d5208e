"""Reset: a conversation begins anew with an empty window; what was said stays in recall memory."""

from __future__ import annotations

from uuid import UUID

from pagemind.engine.closing import close
from pagemind.engine.kernel import Kernel
from pagemind.errors import ConversationBusy
from pagemind.records import Cause, Epoch
from pagemind.store import conversations, paging, runs


async def reset(kernel: Kernel, conversation_id: UUID) -> None:
    """Take every message out of the window, without a summary. ConversationBusy while a run goes on, UnknownRecord."""
    async with kernel.database.transaction() as session:
        conversation = await conversations.get(session, conversation_id, lock=True)
        if await runs.unfinished(session, conversation_id):
            raise ConversationBusy
        if await close(session, conversation_id) is not None:
            conversation = await conversations.get(session, conversation_id, lock=True)
            await session.refresh(conversation)
        first, epoch = conversation.resident_from, conversation.epoch + 1
        out = conversation.next_seq - first
        await conversations.page_out(
            session,
            conversation_id,
            out,
            {},
            resident_from=conversation.next_seq,
            summary="",
            summary_tokens=0,
            kept=[],
            snapshot=None,
            prefix=None,
            epoch=epoch,
        )
        row = Epoch(tenant_id=conversation.tenant_id, conversation_id=conversation_id, epoch=epoch, cause=Cause.asked)
        row.turn, row.messages = conversation.turns, out
        row.first_seq, row.last_seq = (first, conversation.next_seq - 1) if out else (None, None)
        await paging.begin_epoch(session, row)
    kernel.residents.drop(conversation_id)
