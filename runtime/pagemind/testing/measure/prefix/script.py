"""The script of a conversation: what is said to the agent, and what it says and edits, of stated lengths."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from pagemind.engine.kernel import Kernel
from pagemind.records import Block, CallRequest, Completion, Prompt, PromptMessage
from pagemind.testing.measure.prefix.sizes import Size
from pagemind.testing.measure.prefix.texts import fact, lines, seeded, sized, words
from pagemind.testing.scripted import ScriptRanOut, call

LABELS = ("persona", "human", "notes")
EDITED = ("human", "notes")
TOOLS = (
    "core_memory_replace",
    "conversation_search",
    "archival_memory_insert",
    "archival_memory_search",
    "core_memory_append",
    "memory_replace",
    "memory_insert",
    "memory_rethink",
)
"""In the order in which they are declared as long as they fit: a tokenizer of few tokens makes many of them."""
NAMED = re.compile(r"^(Turn \d+ of [\w-]+):", re.MULTILINE)
WORDS_OF_EDIT = 10


@dataclass(frozen=True)
class Turn:
    """One turn: the input, an edit that the agent makes, and its reply."""

    name: str
    input: str
    edit: CallRequest | None
    reply: str

    def step(self, steps_done: int) -> Completion:
        """What the agent says when it has so many steps of this turn behind it."""
        if self.edit is not None and steps_done == 0:
            return Completion("", calls=(self.edit,), finish_reason="tool_calls")
        return Completion(self.reply)


@dataclass(frozen=True)
class Static:
    """What all agents of one definition have in common, and the tokens that it takes."""

    instructions: str
    tools: Sequence[str]
    tokens: int


@dataclass(frozen=True)
class Script:
    """A conversation of one agent. ``seeds`` are its blocks by label, which take ``block_tokens``."""

    static: Static
    seeds: Mapping[str, str]
    turns: Sequence[Turn]
    summary: str
    block_tokens: int

    @property
    def edits(self) -> int:
        """How many turns edit a block."""
        return sum(turn.edit is not None for turn in self.turns)


async def static_text(kernel: Kernel, size: Size, name: str) -> Static:
    """Instructions and tools that take as many tokens as stated, with as many of the tools as fit."""
    fitting = [n for n in range(1, len(TOOLS) + 1) if await frame(kernel, "", n) < size.static_tokens]
    tools = max(fitting, default=1)

    async def count(instructions: str) -> int:
        return await frame(kernel, instructions, tools)

    def make(number: int) -> str:
        return f"You are {name}. {words(seeded(name), number)}"

    text = await sized(make, size.static_tokens, count)
    return Static(text, TOOLS[:tools], await count(text))


async def frame(kernel: Kernel, instructions: str, tools: int) -> int:
    """The tokens of these instructions and so many tools."""
    schemas = tuple(kernel.registry[tool].schema for tool in TOOLS[:tools])
    return await kernel.count_frame(kernel.prose.system(instructions), schemas)


async def write_script(kernel: Kernel, size: Size, static: Static, name: str, *, edit_every: int, turns: int) -> Script:
    """Write a conversation of so many turns with an edit in every so many of them; with 0 in none."""
    random = seeded(name)
    blocks = {label: await block_lines(kernel, size, label, name) for label in LABELS}
    seeds = {label: "\n".join(its_lines) for label, its_lines in blocks.items()}
    written: list[Turn] = []
    for number in range(turns):
        title = f"Turn {number} of {name}"
        edit = None
        if edit_every and number % edit_every == edit_every - 1:
            edit = next_edit(blocks, number // edit_every, random)
        said = await text_of(kernel, size.text_tokens, f"{title}:", f"said {number} {name}")
        reply = await text_of(kernel, size.text_tokens, "Noted:", f"reply {number} {name}")
        written.append(Turn(title, said, edit, reply))
    summary = await text_of(kernel, size.summary_tokens, "They talked of this (#1):", f"summary {name}")
    return Script(static, seeds, written, summary, await tokens_of_blocks(kernel, seeds))


async def block_lines(kernel: Kernel, size: Size, label: str, name: str) -> list[str]:
    """The lines of a block that takes its share of the tokens that all blocks take together."""

    async def count(value: str) -> int:
        return await tokens_of_blocks(kernel, dict.fromkeys(LABELS, "")) // len(LABELS) + await kernel.count(value)

    def make(number: int) -> str:
        return "\n".join(lines(seeded(f"{label} {name}"), number, label.capitalize()))

    return (await sized(make, size.block_tokens // len(LABELS), count)).split("\n")


async def tokens_of_blocks(kernel: Kernel, seeds: Mapping[str, str]) -> int:
    """What the snapshot of blocks with these values takes."""
    tenant_id = kernel.settings.tenant_id
    rendered = kernel.prose.blocks([Block(tenant_id=tenant_id, label=label, value=text) for label, text in seeds.items()])
    return await kernel.count_added(PromptMessage("user", rendered))


def next_edit(blocks: Mapping[str, list[str]], number: int, random: Random) -> CallRequest:
    """The call that replaces the next line of the blocks by another of its length; ``blocks`` are as they are after it."""
    label = EDITED[number % len(EDITED)]
    round_, line = divmod(number // len(EDITED), len(blocks[label]))
    old, new = blocks[label][line], fact(label.capitalize(), line, round_ + 1, words(random, WORDS_OF_EDIT))
    blocks[label][line] = new
    return call("core_memory_replace", label=label, old_content=old, new_content=new)


async def text_of(kernel: Kernel, tokens: int, lead: str, seed: str) -> str:
    """A text of that many tokens that begins with ``lead``."""
    return await sized(lambda number: f"{lead} {words(seeded(seed), number)}", tokens, kernel.reasoner.tokens.count)


def place(prompt: Prompt) -> tuple[str, int]:
    """The name of the turn that a prompt is about, and how many steps of it are done."""
    steps = 0
    for message in reversed(prompt.messages):
        found = NAMED.search(message.content) if message.role == "user" else None
        if found is not None:
            return found[1], steps
        steps += message.role == "assistant"
    raise ScriptRanOut("the prompt holds no turn of the script")
