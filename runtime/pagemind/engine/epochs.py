"""Epochs: whether the prefix in the model server's cache is lost anyway, so that a new epoch costs nothing."""

from __future__ import annotations

from datetime import timedelta

from pagemind.engine.kernel import Kernel
from pagemind.engine.window import Window
from pagemind.memory.prefix import Ledger, same_frame
from pagemind.records import Cause, Conversation, now
from pagemind.records.view import Resident

COLD = frozenset({Cause.definition, Cause.idle, Cause.server})
"""Causes with which nothing of the old prompt is cached, so that it is not worth asking for a summary on it."""


def lost_prefix(kernel: Kernel, view: Resident, window: Window) -> Cause | None:
    """Why the prefix is lost, if it is: another server, a long pause, other instructions or tools."""
    conversation = view.conversation
    before = Ledger.from_json(conversation.prefix)
    if before is None:
        return None
    home = kernel.reasoner.home(window.prompt.affinity)
    if home and conversation.served_by and home != conversation.served_by:
        return Cause.server
    if home and paused_for(conversation) > timedelta(seconds=kernel.settings.cache_idle_seconds):
        return Cause.idle
    return None if same_frame(before, window.chain) else Cause.definition


def paused_for(conversation: Conversation) -> timedelta:
    """How long ago the conversation's last step was."""
    return now() - conversation.stepped_at if conversation.stepped_at else timedelta()


def worth_writing_back(kernel: Kernel, view: Resident, cause: Cause) -> bool:
    """Whether a new epoch changes anything: the blocks differ from their snapshot, or what stands before them does."""
    return cause == Cause.definition or kernel.prose.blocks(view.blocks, view.shelves) != view.conversation.snapshot
