"""Preview: the prompt as the next step would send it, and its blocks rendered anew before their time."""

from __future__ import annotations

from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import policy_of
from pagemind.engine.window import open_window
from pagemind.errors import ConversationBusy
from pagemind.records import Cause, Epoch, Prompt
from pagemind.records.view import Resident
from pagemind.store import conversations, paging, runs, views


async def preview(kernel: Kernel, conversation_id: UUID) -> Prompt:
    """The prompt of the conversation as it would go out now, before the next input; UnknownRecord."""
    async with kernel.database.transaction() as session:
        view = await views.of_conversation(session, conversation_id)
    return await prompt_of(kernel, view)


async def prompt_of(kernel: Kernel, view: Resident) -> Prompt:
    """The view as a prompt of the agent's own model."""
    kernel = await kernel.for_agent(view.agent)
    return (await open_window(kernel, view, policy_of(view.agent, kernel.reasoner))).prompt


async def recompile(kernel: Kernel, conversation_id: UUID) -> str:
    """Begin an epoch with the next prompt, so that it has the newest blocks; the text before the history as it will be.

    Raises UnknownRecord, ConversationBusy while a run goes on.
    """
    async with kernel.database.transaction() as session:
        conversation = await conversations.get(session, conversation_id, lock=True)
        if await runs.unfinished(session, conversation_id):
            raise ConversationBusy
        if conversation.snapshot is not None:
            epoch = conversation.epoch + 1
            await conversations.change(session, conversation_id, snapshot=None, epoch=epoch)
            row = Epoch(tenant_id=conversation.tenant_id, conversation_id=conversation_id, epoch=epoch, cause=Cause.asked)
            row.turn, row.summary_tokens = conversation.turns, conversation.summary_tokens
            await paging.begin_epoch(session, row)
    kernel.residents.drop(conversation_id)
    async with kernel.database.transaction() as session:
        view = await views.of_conversation(session, conversation_id)
    texts = (kernel.prose.system(view.agent.instructions), kernel.prose.blocks(view.blocks, view.shelves))
    return "\n\n".join(text for text in texts if text)
