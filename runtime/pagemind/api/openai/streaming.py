"""Server-sent events on OpenAI's wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from fastapi.responses import StreamingResponse

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": still at it\n\n"
DONE = b"data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""No proxy keeps a stream back."""


def data(body: dict[str, Any]) -> bytes:
    """One event without a name."""
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def named(name: str, body: dict[str, Any]) -> bytes:
    """One event with a name."""
    return f"event: {name}\n".encode() + data(body)


def streamed(events: AsyncIterator[bytes]) -> StreamingResponse:
    """The events as an answer that proxies do not hold back and that never falls silent."""
    return StreamingResponse(kept_alive(events), media_type="text/event-stream", headers=HEADERS)


async def kept_alive(events: AsyncIterator[bytes], seconds: float = KEEP_ALIVE_SECONDS) -> AsyncIterator[bytes]:
    """The events, with a comment wherever none came for a while."""
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(step(events))
            await asyncio.wait({coming}, timeout=seconds)
            if not coming.done():
                yield KEEP_ALIVE
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield event
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming


async def step(events: AsyncIterator[bytes]) -> bytes:
    """The next event."""
    return await anext(events)
