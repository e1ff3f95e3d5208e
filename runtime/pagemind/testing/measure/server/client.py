"""A lean HTTP client: one connection, one request at a time, parsed in C, so that measuring does not eat what is measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import perf_counter
from typing import cast

import httptools

Heard = Callable[[float, bytes], None]
"""When a piece of the body came (``perf_counter``), and the piece."""


class UnexpectedAnswer(RuntimeError):
    """The server answered with another status than 200."""


class Connection(asyncio.Protocol):
    """A connection that stays open. Requests go one after the other."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[bytes] | None = None
        self._body = bytearray()
        self._heard: Heard | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return connection

    async def send(self, method: str, path: str, body: object = None, *, heard: Heard | None = None) -> bytes:
        """The body of the answer, once it is whole; ``heard`` is told of each piece. Raises UnexpectedAnswer."""
        assert self._transport is not None
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._heard = bytearray(), heard
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        answer = await self._answer
        if self._parser.get_status_code() >= 300:
            raise UnexpectedAnswer(f"{method} {path}: {self._parser.get_status_code()} {answer[:500].decode()}")
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    # --- of the transport ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer waits in vain."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    # --- of the parser ------------------------------------------------------------------------------------------------

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._heard is not None:
            self._heard(perf_counter(), body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(bytes(self._body))
