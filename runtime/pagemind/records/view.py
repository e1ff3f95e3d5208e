"""What stands in an agent's window, and what one step sees of it, each read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from pagemind.records.agents import Agent
from pagemind.records.conversations import Conversation, Message
from pagemind.records.files import Shelf
from pagemind.records.memory import Block
from pagemind.records.prompt import Chain, PromptMessage
from pagemind.records.runs import Run, Step, ToolCall
from pagemind.records.tools import StoredTool


@dataclass(frozen=True)
class Versions:
    """Which versions of the rows a view was read from: each the transaction that wrote it. Equal ones mean: nothing is newer.

    ``blocks`` has, in the order of the blocks, their ids, their versions and those of their places in the window.
    """

    agent: str
    conversation: str
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class Resident:
    """The agent, its blocks (by position), and the conversation with its resident messages (by ``seq``).

    ``archive_id`` is the archive that the agent writes to, None if it has none yet.
    """

    agent: Agent
    conversation: Conversation
    blocks: tuple[Block, ...]
    messages: tuple[Message, ...]
    archive_id: UUID | None
    versions: Versions | None = field(default=None, kw_only=True)
    """None where somebody may have written meanwhile, so that it is not what any version of the rows says."""
    shelves: tuple[Shelf, ...] = field(default=(), kw_only=True)
    """The folders that it may read. Whoever changes them, or which files are open, gives the agent a new version, too."""
    prompted: tuple[tuple[PromptMessage, ...], ...] | None = field(default=None, kw_only=True)
    """Each message as the model reads it, where the step before knew; ``tokens`` they take, ``chain`` its prompt's digests."""
    tokens: int = field(default=0, kw_only=True)
    chain: Chain | None = field(default=None, kw_only=True)
    stored_tools: tuple[StoredTool, ...] = field(default=(), kw_only=True)
    """Those of the agent's tools that are rows. Whoever changes one gives its agents a new version, too."""

    @property
    def known_versions(self) -> Versions:
        """The versions; those of nothing where they are not known."""
        return self.versions or Versions("", "", ())


@dataclass(frozen=True)
class View(Resident):
    """What a step of ``run`` sees.

    ``acting`` is the step that another worker left in the middle of its outside tools, with ``recorded`` their calls in
    order; None in a healthy run.
    """

    run: Run
    acting: Step | None
    recorded: tuple[ToolCall, ...]
