"""Intake: uploaded files become text, then pieces; the indexer gives these their vectors. It may stop anywhere.

What was uploaded stands in the store until its pieces do, and both change in one transaction: after a crash the
file is taken up again from the beginning, or it is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import cast
from uuid import UUID

from pagemind.engine.cutting import Cutting, cutting_for
from pagemind.engine.documents import Unreadable, text_of
from pagemind.engine.kernel import Kernel
from pagemind.errors import EmbedderError, StoreError
from pagemind.memory.chunks import Chunk, chunks_of
from pagemind.records import File, FileState, Json, Origin, Passage, now
from pagemind.records.base import record_of
from pagemind.store import files, folders
from pagemind.store.inserts import insert_many
from pagemind.toolbox.threads import in_thread

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
EMBEDDING_POLL_SECONDS = 0.1
PAUSE_AFTER_FAILURE_SECONDS = 5.0
ROWS_AT_ONCE = 500


class Intake:
    """Takes files in, one after the other, in the background."""

    def __init__(self, kernel: Kernel, index_soon: Callable[[], None]) -> None:
        self._kernel = kernel
        self._index_soon = index_soon
        self._wake = asyncio.Event()
        self._failed: set[UUID] = set()

    def wake(self) -> None:
        """A file was uploaded."""
        self._wake.set()

    async def serve(self) -> None:
        """Take files in until cancelled; a store that fails is tried again later."""
        while True:
            self._wake.clear()
            try:
                pause = await self._some()
            except StoreError as error:
                log.warning("files wait: %s", error)
                pause = PAUSE_AFTER_FAILURE_SECONDS
            except Exception:  # the intake's loop: files that come later must not wait for ever
                log.exception("a file could not be taken in")
                pause = PAUSE_AFTER_FAILURE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _one(self) -> bool:
        """Take a file in. One that fails unexpectedly, such as by its size, goes behind the others until the next start."""
        async with self._kernel.database.transaction() as session:
            file = await files.oldest_pending(session, self._failed)
        if file is None:
            return False
        self._failed.add(file.id)
        try:
            await take_in_file(self._kernel, file)
        except StoreError:
            self._failed.discard(file.id)  # it is not the file's fault
            raise
        self._failed.discard(file.id)
        return True

    async def _some(self) -> float:
        """Turn what waits into pieces, and see which files have all their vectors; when to look again."""
        kernel = self._kernel
        while await self._one():
            self._index_soon()
        async with kernel.database.transaction() as session:
            await files.complete(session, kernel.embedder.name)
            embedding = await files.unfinished(session, FileState.embedding)
        return EMBEDDING_POLL_SECONDS if embedding else POLL_SECONDS


async def take_in(kernel: Kernel) -> bool:
    """Turn the oldest file that waits into pieces; False where none waits."""
    async with kernel.database.transaction() as session:
        file = await files.oldest_pending(session)
    if file is not None:
        await take_in_file(kernel, file)
    return file is not None


async def take_in_file(kernel: Kernel, file: File) -> None:
    """Turn the file into pieces, or settle that it cannot be read."""
    try:
        text = await text_of(file.media_type, file.upload or b"")
    except Unreadable as error:
        async with kernel.database.transaction() as session:
            await files.settle(session, file.id, FileState.error, error=str(error))
        return
    cutting = await cutting_now(kernel)
    # In a thread that does not keep the process from ending: a large file takes long.
    pieces = cast("list[Passage]", await in_thread(lambda: pieces_of(file, text, cutting)))
    async with kernel.database.transaction() as session:
        # Another process may have taken it in meanwhile, or a person may have deleted it.
        if await files.settle(session, file.id, FileState.embedding, content=text, chunks=len(pieces)):
            folder = await folders.get(session, file.folder_id)
            for start in range(0, len(pieces), ROWS_AT_ONCE):
                await insert_many(session, file.tenant_id, folder.archive_id, pieces[start : start + ROWS_AT_ONCE])


async def cutting_now(kernel: Kernel) -> Cutting:
    """How files are cut; by estimate where the embedder fails: words find the pieces all the same."""
    try:
        return await cutting_for(kernel.embedder)
    except EmbedderError as error:
        log.warning("files are cut by estimate: %s", error)
        return Cutting()


def pieces_of(file: File, text: str, cutting: Cutting) -> list[Passage]:
    """The passages that a file becomes, each with the lines that it came from; they stand in its order."""
    began = now()
    of_file = {
        "tenant_id": file.tenant_id,
        "archive_id": file.folder_id,
        "source": file.name,
        "file_id": file.id,
        "origin": Origin.imported,
    }
    return [
        record_of(
            Passage, {**of_file, "text": chunk.text, "extra": place(chunk), "created_at": began + timedelta(microseconds=n)}
        )
        for n, chunk in enumerate(chunks_of(text, tokens=cutting.tokens, count=cutting.count))
    ]


def place(chunk: Chunk) -> Json:
    """Where the chunk stands in its file."""
    heading = {"heading": chunk.heading} if chunk.heading else {}
    return {"first_line": chunk.first_line, "last_line": chunk.last_line, **heading}
