"""Between runs: hears what happens to a chat's conversation while no run of it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from pagemind.cli.session import Session
from pagemind.events import Compacted, Event
from pagemind.records import Cause


class Between:
    """Tells of the session's conversation, whichever that is. What the person asked for is told by the command itself."""

    def __init__(self, session: Session, told: Callable[[Event], Awaitable[None]]) -> None:
        self._session = session
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._at: UUID | None = None

    async def follow(self) -> None:
        """Listen to the conversation that the session is in now; to be called again whenever it may have moved."""
        if self._at != self._session.conversation.id:
            await self.stop()
            self._at = self._session.conversation.id
            self._task = asyncio.create_task(self._listen(self._at))

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self, conversation_id: UUID) -> None:
        async for event in self._session.runtime.listen(conversation_id):
            if not (isinstance(event, Compacted) and event.cause == Cause.asked):
                await self._told(event)
