"""The openai client as we use it: no retries of its own, our time-outs, and no answer larger than we can hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
from openai import AsyncOpenAI

from pagemind.errors import ReasonerUnreachable, ReplyTooLong

JSON_OVERHEAD = 6
"""A character takes up to six bytes in JSON (as ``\\\\uXXXX``)."""
FRAME_BYTES = 65_536


class BoundedStream(httpx2.AsyncByteStream):
    """A response's bytes, as long as no line of them passes ``limit_bytes``: a line is what the client holds at a time."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit_chars: int) -> None:
        self._stream = stream
        self._limit_chars = limit_chars
        self._limit_bytes = limit_chars * JSON_OVERHEAD + FRAME_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line_bytes = 0
        async for chunk in self._stream:
            head, newline, _ = chunk.partition(b"\n")
            line_bytes += len(head)
            if line_bytes > self._limit_bytes:
                raise ReplyTooLong(limit=self._limit_chars)
            if newline:
                line_bytes = len(chunk) - chunk.rfind(b"\n") - 1
            yield chunk

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


def make_client(url: str, api_key: str, *, connect_seconds: float, silence_seconds: float, limit_chars: int) -> AsyncOpenAI:
    """A client for the server at ``url``. Raises ``ReasonerUnreachable`` where that is no URL."""

    async def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = BoundedStream(response.stream, limit_chars)

    timeout = httpx2.Timeout(silence_seconds, connect=connect_seconds)
    try:
        return AsyncOpenAI(
            # Servers without keys want some header all the same.
            api_key=api_key or "none",
            base_url=url,
            max_retries=0,
            timeout=timeout,
            # Compressed, an answer's size would show only after it was unpacked.
            default_headers={"Accept-Encoding": "identity"},
            http_client=httpx2.AsyncClient(timeout=timeout, event_hooks={"response": [bound]}),
        )
    except httpx2.InvalidURL as error:
        raise ReasonerUnreachable(str(error), url=url) from error
