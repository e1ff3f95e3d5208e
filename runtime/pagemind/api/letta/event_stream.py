"""Server-sent events on Letta's wire: lines of data without a name, pings in between, ``[DONE]`` at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID, uuid4

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pagemind.api.here import Here
from pagemind.api.ids import wire_id
from pagemind.api.letta.message_json import Json, wire_json
from pagemind.api.letta.run_telling import PING_NUMBER, Manner, Teller
from pagemind.api.times import message_date
from pagemind.errors import StoreError
from pagemind.records import now

KEEP_ALIVE_SECONDS = 20.0
DONE = b"data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "x-should-retry": "false"}
"""No proxy keeps a stream back. The run was accepted: nobody sends the request again."""


def data(body: Json) -> bytes:
    """One event."""
    return b"data: " + wire_json(body) + b"\n\n"


def ping(run_id: UUID, seq_id: int | None = None) -> bytes:
    """A sign of life that names the run."""
    return data(
        {
            "id": f"ping-{uuid4()}",
            "date": message_date(now()),
            "name": None,
            "message_type": "ping",
            "otid": None,
            "sender_id": None,
            "step_id": None,
            "is_err": None,
            "seq_id": seq_id,
            "run_id": wire_id("run", run_id),
        }
    )


async def told(here: Here, run_id: UUID, manner: Manner) -> AsyncIterator[bytes]:
    """The run as events of a stream, stored and live, to its end."""
    teller = Teller(run_id, manner)
    try:
        async for seq, event in here.runtime.events(run_id):
            if parts := teller.tell(seq, event):
                yield b"".join(map(data, parts))
    except StoreError as error:
        body = {"message_type": "error_message", "run_id": wire_id("run", run_id), "error_type": "internal_error"}
        yield b"event: error\n" + data({**body, "message": str(error), "detail": str(error), "seq_id": None}) + DONE
        return
    failure = teller.failure
    if failure is None:
        yield data(teller.stop_reason) + data(teller.usage) + DONE
    else:
        yield data(teller.stop_reason) + b"event: error\n" + data(failure.event(wire_id("run", run_id))) + DONE


class EventStream(Response):
    """The stream of a run. Whoever leaves it leaves the run alone; who reads slowly holds nobody up (`hub.Ear`)."""

    media_type = "text/event-stream"

    def __init__(self, here: Here, run_id: UUID, manner: Manner, *, pings: bool) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(HEADERS)
        self._here, self._run_id, self._manner, self._pings = here, run_id, manner, pings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run ends or the reader is gone."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._pings and self._manner.after < PING_NUMBER:
            await put(send, ping(self._run_id, PING_NUMBER if self._manner.numbered else None))
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(left(receive))
        try:
            while not (await asyncio.wait((sending, gone), timeout=KEEP_ALIVE_SECONDS, return_when="FIRST_COMPLETED"))[0]:
                if self._pings:
                    await put(send, ping(self._run_id))
        finally:
            for task in (sending, gone):
                task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await gone
            with suppress(asyncio.CancelledError, OSError):
                await sending

    async def _send(self, send: Send) -> None:
        async for chunk in told(self._here, self._run_id, self._manner):
            await put(send, chunk)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def put(send: Send, chunk: bytes) -> None:
    """Send a piece of the body."""
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def left(receive: Receive) -> None:
    """Return when the reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
