"""Early: pages out between runs, so that no run has to wait for it, and warms the new prefix."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from pagemind.engine.compact import compact, planned, warm
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import policy_of
from pagemind.engine.window import open_window
from pagemind.errors import ConversationBusy, PagemindError
from pagemind.records import Cause
from pagemind.store import runs, views

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
"""After a run's end: whoever has a queue of inputs sends the next at once."""


class EarlyPaging:
    """Looks at a conversation when a run of it has ended; gives way to the next run. What it does not get to, a run does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._ended: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._at: dict[UUID, asyncio.Task[None]] = {}

    def run_ended(self, conversation_id: UUID) -> None:
        """There may be something to page out."""
        self._ended[conversation_id] = None
        self._wake.set()

    def run_began(self, conversation_id: UUID) -> None:
        """Leave the conversation alone."""
        self._ended.pop(conversation_id, None)
        if conversation_id in self._at:
            self._at[conversation_id].cancel()

    async def serve(self) -> None:
        """Work until cancelled, at one conversation at a time."""
        while True:
            if not self._ended:
                self._wake.clear()
                await self._wake.wait()
                continue
            conversation_id = next(iter(self._ended))
            del self._ended[conversation_id]
            task = self._at[conversation_id] = asyncio.create_task(self._look_after(conversation_id))
            try:
                await asyncio.wait((task,))
            finally:
                task.cancel()
                del self._at[conversation_id]

    async def _look_after(self, conversation_id: UUID) -> None:
        try:
            await asyncio.sleep(PAUSE_SECONDS)
            await page_out_early(self._kernel, conversation_id)
        except ConversationBusy:
            pass
        except PagemindError as error:
            log.warning("conversation %s was not paged out early: %s", conversation_id, error)
        except Exception:  # a loop of its own, like the worker's: one conversation must not end it for all others
            log.exception("paging out early failed")


async def page_out_early(kernel: Kernel, conversation_id: UUID) -> bool:
    """Page out what a prompt above the early watermark should lose, and warm what is left; whether anything was to be done.

    Raises ConversationBusy when a run began meanwhile, ReasonerError, StoreError.
    """
    async with kernel.database.transaction() as session:
        if await runs.unfinished(session, conversation_id):
            return False
        view = await views.of_conversation(session, conversation_id)
    kernel = (await kernel.for_agent(view.agent)).behind()
    policy = policy_of(view.agent, kernel.reasoner)
    window = await open_window(kernel, view, policy)
    plan = planned(view, window, policy, policy.budget.early)
    if plan is None:
        return False
    epoch = await compact(kernel, view, policy, window, plan, Cause.early)
    if kernel.reasoner.home(window.prompt.affinity):
        await warm(kernel, view, epoch)
    return True
