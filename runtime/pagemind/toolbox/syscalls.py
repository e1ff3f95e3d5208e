"""What a tool may ask of the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pagemind.records import (
    Archived,
    Edit,
    FileHit,
    FileMatches,
    FileRequest,
    FilesOpened,
    MessageHit,
    PassageHit,
)


class Syscalls(Protocol):
    """The runtime as a tool sees it; a tool gets it by annotating its first parameter with this class.

    What a tool does through it is kept aside and commits with the step (contract D2): its own step's edits show at once,
    what it has archived is found by searches of later steps.
    """

    @property
    def agent_name(self) -> str:
        """The agent that calls."""
        ...

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def labels(self) -> tuple[str, ...]:
        """The labels of the agent's blocks, in their order in the window."""
        ...

    async def block(self, label: str) -> str:
        """The block's value as the agent would see it now, with this step's own edits. Raises UnknownBlock."""
        ...

    async def edit_block(self, label: str, edit: Edit) -> str:
        """Edit a block and give back its new value. Raises a ToolRefusal where it is unknown, full, read-only or the edit
        does not fit."""
        ...

    async def create_block(self, label: str, value: str, description: str) -> None:
        """Put a new block at the end of the agent's window. Raises a ToolRefusal where there is one of that label."""
        ...

    async def remove_block(self, label: str) -> None:
        """Take a block out of the agent's window; it is kept. Raises UnknownBlock, BlockReadOnly."""
        ...

    async def rename_block(self, label: str, *, to: str | None, description: str | None) -> None:
        """Give a block another label, another description, or both. Raises UnknownBlock, BlockReadOnly, BlockTaken."""
        ...

    async def archive(self, text: str, tags: Sequence[str] = ()) -> Archived:
        """Store a passage in the agent's archive; where that says the same already, it gets the tags and nothing is stored."""
        ...

    async def search_archive(
        self,
        query: str,
        *,
        tags: Sequence[str] = (),
        all_tags: bool = False,
        top_k: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Sequence[PassageHit]:
        """Passages of the agent's archives, the best first, at most ``top_k``, with any one of ``tags``, or with
        ``all_tags`` all of them, and ``after <= created_at < before``."""
        ...

    async def search_conversation(
        self,
        query: str,
        *,
        roles: Sequence[str] = (),
        limit: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Sequence[MessageHit]:
        """Messages of this conversation, the best first, at most ``limit``, with ``after <= created_at < before``.

        ``#12`` or ``#12-#20`` as a query looks messages up by number.
        """
        ...

    async def open_files(self, requests: Sequence[FileRequest], *, close_others: bool = False) -> FilesOpened:
        """Keep parts of the agent's files in its window; those not used for longest leave it where there are too many.

        Raises a ToolRefusal where a file is unknown or there are too many at once.
        """
        ...

    async def grep_files(
        self, pattern: str, *, include: str | None = None, context_lines: int = 1, offset: int = 0
    ) -> FileMatches:
        """The lines of the agent's files that match a regular expression, whatever their case, a page from ``offset`` on.

        ``include`` is one for the files' names. Raises a ToolRefusal where a pattern is wrong or takes too long.
        """
        ...

    async def search_files(self, query: str, *, limit: int = 5) -> list[FileHit]:
        """Pieces of the agent's files, the best first, at most ``limit``."""
        ...

    async def tell_agent(self, agent_id: str, message: str, *, key: str, wait: bool) -> str:
        """Send a message to another agent, once for the ``key``; its answer, or nothing without waiting. BadArgument."""
        ...

    async def tell_agents(self, all_tags: Sequence[str], some_tags: Sequence[str], message: str, *, key: str) -> str:
        """Send a message to the other agents with all of the one and any of the other tags; their answers, a line each."""
        ...

    def note_effect(self, words: str) -> None:
        """Say in a few words for people what the call did: ``human +1 line``, ``3 hits``."""
        ...
