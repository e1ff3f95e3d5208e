"""Standard input line by line, without holding up the event loop or the end of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

from pagemind.errors import MessageTooLong

_CHUNK_BYTES = 65_536


class LineReader:
    """Reads a file descriptor in a daemon thread of its own.

    Not ``asyncio.to_thread`` on ``sys.stdin``: leaving would wait for the next line, and a thread that holds the lock of
    ``sys.stdin`` at exit kills the interpreter. Not ``add_reader``: it refuses regular files.
    """

    def __init__(self, descriptor: int = 0, *, limit_chars: int) -> None:
        self._descriptor = descriptor
        self._limit_bytes = 4 * limit_chars
        self._limit_chars = limit_chars
        self._lines: asyncio.Queue[str | MessageTooLong | None] = asyncio.Queue(maxsize=0)
        self._wanted = threading.Semaphore(0)

    async def lines(self) -> AsyncIterator[str | MessageTooLong]:
        """The lines without their ends; in the place of one over the limit, the error that says so."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), daemon=True, name="standard-input").start()
        while True:
            self._wanted.release()
            line = await self._lines.get()
            if line is None:
                return
            yield line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        buffer, skipped = b"", 0
        while True:
            chunk = self._chunk()
            *whole, buffer = (buffer + chunk).split(b"\n")
            for line in whole:
                self._put(loop, line, skipped)
                skipped = 0
            if len(buffer) > self._limit_bytes:
                skipped, buffer = skipped + len(buffer), b""
            if not chunk:
                break
        if buffer or skipped:
            self._put(loop, buffer, skipped)
        self._send(loop, None)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK_BYTES)
        except OSError:  # a terminal that was closed
            return b""

    def _put(self, loop: asyncio.AbstractEventLoop, line: bytes, skipped: int) -> None:
        if skipped or len(line) > self._limit_bytes:
            self._send(loop, MessageTooLong(length=skipped + len(line), unit="bytes", limit=f"{self._limit_chars} characters"))
        else:
            self._send(loop, line.decode("utf-8", "replace").rstrip("\r"))

    def _send(self, loop: asyncio.AbstractEventLoop, line: str | MessageTooLong | None) -> None:
        self._wanted.acquire()  # one line at a time: a large file is not read ahead of the agent
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._lines.put_nowait, line)
