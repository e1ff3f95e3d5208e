"""``pagemind memory blocks|history|stats``: looking at what an agent remembers."""

from __future__ import annotations

from typing import Any

from pagemind.cli import views
from pagemind.cli.output import print_json, printer
from pagemind.cli.window import as_values
from pagemind.engine.runtime import Runtime
from pagemind.errors import UnknownBlock
from pagemind.records.agents import Agent
from pagemind.records.memory import Block
from pagemind.settings import Settings


async def blocks(settings: Settings, *, agent: str, as_json: bool) -> None:
    """Print the agent's blocks."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.memory.blocks(await runtime.agent(agent))
    if as_json:
        print_json([block_values(block) for block in found])
    else:
        printer().print(views.blocks_view(found))


async def history(settings: Settings, *, agent: str, label: str, as_json: bool) -> None:
    """Print a block's revisions, newest first."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        await known_block(runtime, found, label)
        revisions = await runtime.memory.history(found, label)
    if as_json:
        kept = {"revision", "value", "author", "edit", "run_id", "created_at"}
        print_json([revision.model_dump(include=kept) for revision in revisions])
    else:
        printer().print(views.history_view(revisions))


async def stats(settings: Settings, *, agent: str, as_json: bool) -> None:
    """Print how much the agent remembers: blocks, messages resident and out, passages, what was paged."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        conversation = await runtime.conversation(found)
        report = await runtime.context(conversation.id)
        conversations = await runtime.conversations(found)
    window = as_values(report)
    figures = {
        "blocks": len(report.blocks),
        "block_chars": sum(len(block.value) for block in report.blocks),
        "block_revisions": sum(block.revision for block in report.blocks),
        "conversations": len(conversations),
        **{name: window[name] for name in ("messages_total", "messages_out", "passages", "used_tokens", "window_tokens")},
        "epoch": conversation.epoch,
        "paged_in": conversation.paged_in,
        "paged_out": conversation.paged_out,
    }
    if as_json:
        print_json({"agent": found.name, **figures})
    else:
        rows = [(name.replace("_", " "), f"{count:,}") for name, count in figures.items()]
        printer().print(views.table("of " + found.name, "#count", rows=rows))


async def known_block(runtime: Runtime, agent: Agent, label: str) -> Block:
    """The agent's block of this label. UnknownBlock names those there are."""
    found = await runtime.memory.blocks(agent)
    for block in found:
        if block.label == label:
            return block
    raise UnknownBlock(label=label, known=", ".join(block.label for block in found) or "none: it has no blocks")


def block_values(block: Block) -> dict[str, Any]:
    """The block as JSON values."""
    kept = {"id", "label", "value", "description", "limit_chars", "read_only", "owner", "revision", "updated_at"}
    return block.model_dump(include=kept)
