"""A server that plays an OpenAI-compatible one on a real socket, and misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """A request as it came in; ``headers`` by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Write = Callable[[bytes], Awaitable[None]]
Play = Callable[[Request, Write], Awaitable[None]]
"""Plays one answer on an open connection, which is closed after it."""


@dataclass
class OpenAIServer:
    """``routes`` by path; ``seen`` are the requests so far, ``sent_bytes`` what was taken off our hands."""

    port: int = 0
    routes: dict[str, Play] = field(default_factory=dict[str, Play])
    seen: list[Request] = field(default_factory=list[Request])
    sent_bytes: int = 0
    _listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The base URL, with ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def asked(self, path: str = CHAT) -> int:
        """How many requests came for ``path`` so far."""
        return sum(request.path == path for request in self.seen)

    async def start(self, port: int = 0) -> None:
        """Listen on ``port``, 0 for a free one."""
        self._listener = await asyncio.start_server(self.serve, "127.0.0.1", port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening; connections that are open stay so."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on one connection."""

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()
            self.sent_bytes += len(data)

        try:
            request = await read_request(reader)
            self.seen.append(request)
            await self.routes.get(request.path, answers(404, {"error": {"message": "no such path"}}))(request, write)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one HTTP request with a JSON body, or none."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body or b"{}"))


def answers(status: int, body: object, headers: str = "") -> Play:
    """Answer with one JSON body; ``headers`` are whole lines, each ended by CR LF."""

    async def play(request: Request, write: Write) -> None:
        text = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}"
        await write(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)

    return play


def streams(*chunks: object, done: bool = True, seconds: float = 0.0) -> Play:
    """Stream chunks (bytes as they are) ``seconds`` apart; without ``done`` the connection just closes after them."""

    async def play(request: Request, write: Write) -> None:
        await write(STREAM_HEAD)
        for chunk in chunks:
            await asyncio.sleep(seconds)
            await write(chunk if isinstance(chunk, bytes) else f"data: {json.dumps(chunk)}\n\n".encode())
        if done:
            await write(b"data: [DONE]\n\n")

    return play


def delta(finish: str | None = None, **fields: object) -> dict[str, Any]:
    """One chunk of a chat completion."""
    return {"model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def says(text: str, *, seconds: float = 0.0) -> Play:
    """Stream a reply in words, ``seconds`` apart."""
    words = [delta(content=f"{word} ") for word in text.split(" ")[:-1]]
    return streams(*words, delta(content=text.split(" ")[-1]), delta("stop"), seconds=seconds)


def calls(name: str, /, *, call_id: str = "call_1", **arguments: object) -> Play:
    """Stream a reply that calls one tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return streams(
        delta(tool_calls=[{"index": 0, "id": call_id, "type": "function", "function": function}]), delta("tool_calls")
    )


def in_turn(*plays: Play) -> Play:
    """Play these, one a request; the last one again and again."""
    left = list(plays)

    async def play(request: Request, write: Write) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, write)

    return play


class Held:
    """Holds every request back, on whichever servers it plays, until it is let ``go``; then plays what it was given."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._came = asyncio.Semaphore(0)
        self._let_go = asyncio.Event()

    async def __call__(self, request: Request, write: Write) -> None:
        """Wait, then play."""
        self._came.release()
        await self._let_go.wait()
        await self._play(request, write)

    async def until(self, more: int) -> None:
        """Wait until so many more requests have come."""
        for _ in range(more):
            await self._came.acquire()

    def go(self) -> None:
        """Let all go on, and those that come later."""
        self._let_go.set()


@asynccontextmanager
async def openai_server() -> AsyncGenerator[OpenAIServer]:
    """A server on a free port that lists the model ``m`` with 4321 tokens of context."""
    server = OpenAIServer(routes={MODELS: answers(200, {"data": [{"id": "m", "max_model_len": 4321}]})})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
