"""Bodies: bounded in size and in time before anything reads them, and without what no store takes."""

from __future__ import annotations

import asyncio
import json
import re
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagemind.api.answers import answer
from pagemind.api.problems import Problem
from pagemind.records.text import clean_text
from pagemind.settings import Settings

FILE_SECONDS_FACTOR = 10
FORM_BYTES = 1_000_000
"""What the other fields of an upload may take beside its file."""
DRAIN_SECONDS = 2.0
"""How long a body that is refused is read on: who still sends would not see the answer."""

SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])|NaN|Infinity")
"""In JSON, what may stand for NUL, for half a character, or for no number."""
CLOSE = {"connection": "close"}
TOO_LATE = Problem(HTTPStatus.REQUEST_TIMEOUT, "The request's body did not come in time.", headers=CLOSE)


class TooLarge(Exception):
    """There is more than the limit."""


class Bodies:
    """Reads a request's body for the app: at most so much, within so much time. Files go through as they come."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._limit = settings.request_limit_bytes
        self._file_limit = settings.file_limit_bytes + FORM_BYTES
        self._seconds = settings.serve_body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with its body, or refuse it."""
        length, multipart = announced(scope)
        if length == 0:
            return await self._app(scope, receive, send)
        limit = self._file_limit if multipart else self._limit
        if length is not None and length > limit:
            return await refuse(receive, send, limit)
        if multipart:
            counted = Counted(receive, limit, self._seconds * FILE_SECONDS_FACTOR)
            return await self._app(scope, counted, send)
        try:
            async with asyncio.timeout(self._seconds):
                body = await whole(receive, limit)
        except TimeoutError:
            return await answer(send, TOO_LATE)
        except TooLarge:
            return await refuse(receive, send, limit)
        if body is None:
            return None
        try:
            body = storable(body)
        except ValueError as error:
            return await answer(send, Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "", body={"trace_id": "", "detail": str(error)}))
        return await self._app(scope, Replayed(receive, body), send)


def announced(scope: Scope) -> tuple[int | None, bool]:
    """The body's length by the head, None where it is not said, and whether it is a form with files."""
    length: int | None = 0
    multipart = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            return None, multipart
        elif name == b"content-type":
            multipart = value.lower().startswith(b"multipart/")
    return length, multipart


async def whole(receive: Receive, limit: int) -> bytes | None:
    """The body; None where the client went away; TooLarge."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def refuse(receive: Receive, send: Send, limit: int) -> None:
    """413, once the client had a moment to send what it began to send."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await whole(receive, 4 * limit)
    except (TimeoutError, TooLarge):
        pass
    await answer(send, Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(limit), headers=CLOSE))


def too_large(limit: int) -> str:
    """What a 413 says."""
    return f"The request's body is larger than the {limit:,} bytes that are accepted."


class Replayed:
    """Gives a body that was read, then what the client does after it."""

    def __init__(self, receive: Receive, body: bytes) -> None:
        self._receive = receive
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        """The next message."""
        body, self._body = self._body, None
        return await self._receive() if body is None else {"type": "http.request", "body": body, "more_body": False}


class Counted:
    """Gives a body as it comes, up to a size and a time; HTTPException 413 or 408 beyond."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._left = self._limit = limit
        self._until = asyncio.get_running_loop().time() + seconds
        self._done = False

    async def __call__(self) -> Message:
        """The next message."""
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, str(TOO_LATE.detail), CLOSE) from None
        self._left -= len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(self._limit), CLOSE)
        return message


def storable(body: bytes) -> bytes:
    """The body, which may be JSON, with its texts cleaned; ValueError where a number in it is none."""
    if not SUSPECT.search(body):
        return body
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return body  # not for us to say
    return json.dumps(cleaned(value)).encode()


def refuse_constant(name: str) -> float:
    """JSON has no ``NaN`` and no ``Infinity``."""
    raise ValueError(f"{name} is no JSON value")


def cleaned(value: Any) -> Any:
    """A JSON value with its texts cleaned, keys too."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {clean_text(name): cleaned(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value
