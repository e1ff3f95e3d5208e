"""Advance: what the next step sees, known from the step just stored.

A run's conversation is in the hands of its worker alone (the lease's epoch fences every write), so that reading it anew after
each step would only bring back what was just written. Blocks may be edited from elsewhere: that shows when a step that edits
one is stored (BlocksMoved), and in the notice before the next input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from pagemind.engine.persist import Draft, Persisted
from pagemind.memory.compiler import as_prompts
from pagemind.records import now
from pagemind.records.prompt import Chain, PromptMessage
from pagemind.records.view import Versions, View


def advanced(view: View, draft: Draft, stored: Persisted, chain: Chain | None = None) -> View:
    """The view after a step; ``view`` is left alone. ``chain`` has the digests of the step's prompt."""
    conversation, run = view.conversation, view.run
    at = now()
    return replace(
        view,
        conversation=conversation.model_copy(
            update={
                **draft.conversation,
                "next_seq": conversation.next_seq + len(draft.messages),
                "known_revisions": {**conversation.known_revisions, **stored.known},
                "stepped_at": at,
                "updated_at": at,
            }
        ),
        blocks=tuple(stored.blocks.get(block.id, block) for block in view.blocks),
        messages=(*view.messages, *draft.messages),
        prompted=(
            *(map(as_prompts, view.messages) if view.prompted is None else view.prompted),
            *map(as_prompts, draft.messages),
        ),
        tokens=tokens(view) + sum(message.tokens for message in draft.messages),
        chain=chain,
        versions=None if draft.files or draft.shapes else versions(view, stored),
        archive_id=next((passage.archive_id for passage in draft.passages), view.archive_id),
        run=run.model_copy(update={**draft.run, "events": stored.progress.events}),
        acting=None,
        recorded=(),
    )


def prompted(view: View) -> Iterable[tuple[PromptMessage, ...]]:
    """Each message of the view as the model reads it."""
    return map(as_prompts, view.messages) if view.prompted is None else view.prompted


def tokens(view: View) -> int:
    """What the messages of the view take."""
    return sum(message.tokens for message in view.messages) if view.prompted is None else view.tokens


def versions(view: View, stored: Persisted) -> Versions | None:
    """The versions after the step; None where somebody else wrote to the conversation since the view was read."""
    before, progress = view.versions, stored.progress
    if before is None or before.conversation != progress.before:
        return None
    return Versions(before.agent, progress.version, tuple(written(block, stored) for block in before.blocks))


def written(block: str, stored: Persisted) -> str:
    """The block's entry among the versions, renewed where the step wrote the block."""
    block_id, _, place = block.split(" ")
    return f"{block_id} {stored.progress.version} {place}" if UUID(block_id) in stored.blocks else block
