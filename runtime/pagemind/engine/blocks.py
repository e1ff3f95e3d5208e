"""Blocks changed from outside, wherever they stand: every change of the value has its author, its revision and its undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import BlockOverLimit, LabelTaken
from pagemind.memory.blocks import apply_edit
from pagemind.records import Block, Json, Rewrite, edit_to_json, now
from pagemind.store import agents, block_lists, blocks, snapshots


@dataclass(frozen=True)
class BlockChanges:
    """What to change of a block; None leaves it."""

    label: str | None = None
    value: str | None = None
    limit_chars: int | None = None
    description: str | None = None
    read_only: bool | None = None
    tags: Sequence[str] | None = None
    extra: Json = field(default_factory=dict[str, object])
    """Added to what the block's front keeps."""


async def change(session: AsyncSession, block: Block, asked: BlockChanges, *, author: str) -> Block:
    """Change a locked block; the agents in whose windows it stands are told of a new value before their next message.

    Raises BlockOfConfig, BlockOverLimit, LabelTaken.
    """
    value = block.value if asked.value is None else asked.value
    limit = asked.limit_chars or block.limit_chars
    given = asked.value is not None or asked.limit_chars is not None
    if given and len(value) > limit and (asked.limit_chars is not None or len(value) >= len(block.value)):
        raise BlockOverLimit(label=asked.label or block.label, length=len(value), limit=limit)
    if asked.label is not None and asked.label != block.label:
        await relabel(session, block, asked.label)
    describe(block, asked)
    await session.flush()
    if value == block.value:
        return block
    edit = Rewrite(value)
    return await blocks.write(session, block, apply_edit(block, edit, by_agent=False), author=author, edit=edit_to_json(edit))


def describe(block: Block, asked: BlockChanges) -> None:
    """Write everything but label and value into the block."""
    before = block.limit_chars, block.description, block.read_only, block.tags, block.extra
    block.limit_chars = asked.limit_chars or block.limit_chars
    block.description = block.description if asked.description is None else asked.description
    block.read_only = block.read_only if asked.read_only is None else asked.read_only
    block.tags = block.tags if asked.tags is None else list(asked.tags)
    block.extra = {**block.extra, **asked.extra}
    if before != (block.limit_chars, block.description, block.read_only, block.tags, block.extra):
        block.updated_at = now()


async def relabel(session: AsyncSession, block: Block, label: str) -> None:
    """Give the block another label in every window."""
    if await block_lists.is_label_taken(session, block.id, label):
        raise LabelTaken(label=label)
    await block_lists.relabel(session, block, label)


async def remove(session: AsyncSession, block_id: UUID) -> None:
    """Take the block out of every window and out of sight. UnknownRecord."""
    # Agents before blocks, as whoever puts a block into a window locks them.
    await agents.touch(session, await block_lists.agent_ids(session, block_id))
    block = await block_lists.lock(session, block_id)
    standing = await block_lists.agent_ids(session, block_id)
    await block_lists.remove(session, block)
    await snapshots.forget(session, standing)
    await agents.touch(session, standing)
