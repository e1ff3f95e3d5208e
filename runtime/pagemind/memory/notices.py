"""Notices: which edits of the blocks the history does not tell of yet. Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from uuid import UUID

from pagemind.records import Block, BlockRevision

Changed = tuple[Block, Sequence[BlockRevision]]
"""A block and its revisions since the one that the conversation knows, oldest first."""


def foreign_changes(changes: Sequence[Changed], own_runs: Container[UUID | None]) -> list[Changed]:
    """The changes that someone other than this conversation's own runs had a part in.

    A conversation's own edits stand in its history as calls and returns.
    """
    return [
        (block, revisions) for block, revisions in changes if any(revision.run_id not in own_runs for revision in revisions)
    ]


def notice_lines(changes: Sequence[Changed]) -> list[dict[str, str]]:
    """``label, author, value`` of each changed block, as the notice's template wants them."""
    return [
        {"label": block.label, "author": ", ".join(_authors(revisions)), "value": block.value} for block, revisions in changes
    ]


def _authors(revisions: Sequence[BlockRevision]) -> list[str]:
    return list(dict.fromkeys(revision.author for revision in revisions))
