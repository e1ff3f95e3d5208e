"""The window: a view rendered, counted and compiled into a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy
from pagemind.engine.ruling import ruling_of
from pagemind.memory.compiler import Fixed, compile_prompt, files_revision, revisions
from pagemind.memory.prefix import Common, Ledger, common, ledger_of, linked
from pagemind.records import Cause, Json, Prompt, PromptMessage
from pagemind.records.prompt import Chain
from pagemind.records.view import Resident


@dataclass(frozen=True)
class Window:
    """A compiled prompt, and what the conversation must remember if it is used: a snapshot that was rendered for it.

    ``epoch`` is the one it belongs to, ``head`` the tokens of its parts before the history.
    """

    prompt: Prompt
    epoch: int
    head: tuple[int, ...]
    known: dict[str, int]
    rendered: Json
    begins: Cause | None = None
    """Why its epoch begins with it, if it does."""
    before: Chain | None = None
    """The digests of the prompt of the step before, as far as they are known here."""

    @cached_property
    def links(self) -> Chain:
        """The digests of the prompt, for the next to go on from."""
        return linked(self.prompt, self.before)

    @property
    def chain(self) -> Sequence[str]:
        """The digests of the prompt up to each of its messages."""
        return self.links.digests

    @property
    def ledger(self) -> Ledger:
        """What the next prompt is to be held against."""
        return ledger_of(self.prompt, self.chain, self.epoch, self.head)

    def beside(self, before: Json | None) -> Common:
        """What it has in common with the prompt of the step before (``Conversation.prefix``)."""
        return common(Ledger.from_json(before), self.chain, self.epoch)


async def open_window(kernel: Kernel, view: Resident, policy: Policy, *, begins: Cause | None = None) -> Window:
    """Compile the view. The blocks are rendered once an epoch.

    With ``begins`` an epoch begins with this prompt, for that reason, as it does with each edit under ``write_through``; it is
    stored with the step.
    """
    conversation = view.conversation
    epoch, snapshot, known, rendered = conversation.epoch, conversation.snapshot, dict(conversation.known_revisions), {}
    if snapshot is None or begins or policy.write_through:
        snapshot = kernel.prose.blocks(view.blocks, view.shelves)
        known = {**known, **revisions(view.blocks), **files_revision(view.agent)}
        if begins or snapshot != conversation.snapshot:
            epoch += conversation.snapshot is not None
            rendered = {"snapshot": snapshot, "epoch": epoch}
    fixed = await count_fixed(kernel, view, snapshot)
    parts = [fixed.system_tokens + fixed.tools_tokens, fixed.snapshot_tokens, fixed.summary_tokens]
    prompt = compile_prompt(view, fixed, ruling_of(view, kernel.tools_of(view)).steered(policy.generation))
    return Window(prompt, epoch, tuple(tokens for tokens in parts if tokens), known, rendered, begins, view.chain)


async def count_fixed(kernel: Kernel, view: Resident, snapshot: str) -> Fixed:
    """What stands before the history, rendered and counted as the chat template prints it."""
    conversation = view.conversation
    tools = tuple(spec.schema for spec in kernel.tools_of(view).values())
    system = kernel.prose.system(view.agent.instructions)
    summary = kernel.prose.summary(conversation.summary, conversation.resident_from - 1, conversation.kept)
    system_tokens = await kernel.count(system)
    return Fixed(
        system=system,
        system_tokens=system_tokens,
        tools=tools,
        tools_tokens=await kernel.count_frame(system, tools) - system_tokens,
        snapshot=snapshot,
        snapshot_tokens=await count_part(kernel, snapshot),
        summary=summary,
        summary_tokens=await count_part(kernel, summary),
    )


async def count_part(kernel: Kernel, text: str) -> int:
    """The tokens of a message of the head; 0 without text, since then there is none."""
    return await kernel.count_added(PromptMessage("user", text)) if text else 0
