"""The window: a view rendered, counted and compiled into a prompt."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy
from pagemind.memory.compiler import Fixed, compile_prompt, revisions
from pagemind.records import Json, Prompt
from pagemind.records.view import Resident


@dataclass(frozen=True)
class Window:
    """A compiled prompt, and what the conversation must remember if it is used: a snapshot rendered for the first time."""

    prompt: Prompt
    known: dict[str, int]
    rendered: Json


async def open_window(kernel: Kernel, view: Resident, policy: Policy) -> Window:
    """Compile the view. The blocks are rendered once an epoch, or anew at each step under ``write_through``."""
    conversation = view.conversation
    tools = kernel.tools_of(view.agent)
    system = kernel.prose.system(view.agent.instructions)
    summary = kernel.prose.summary(conversation.summary, conversation.resident_from - 1)
    snapshot, known, rendered = conversation.snapshot, dict(conversation.known_revisions), {}
    if snapshot is None or policy.write_through:
        snapshot = kernel.prose.blocks(view.blocks)
        known = {**known, **revisions(view.blocks)}
        rendered = {"snapshot": snapshot, "snapshot_tokens": await kernel.count(snapshot)}
    fixed = Fixed(
        system=system,
        system_tokens=await kernel.count(system),
        tools=tools,
        tools_tokens=await kernel.count_tools(tools),
        snapshot=snapshot,
        snapshot_tokens=await kernel.count(snapshot),
        summary=summary,
        summary_tokens=await kernel.count(summary),
    )
    return Window(compile_prompt(view, fixed, policy.generation), known, rendered)
