"""The reasoner behind an OpenAI-compatible server: vLLM, Ollama, LM Studio, llama.cpp, or a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from dataclasses import replace
from urllib.parse import urlsplit

from openai import APIStatusError, AsyncStream

from pagemind.errors import ReasonerCutOff, ReasonerError, ReasonerUnreachable
from pagemind.model.client import make_client
from pagemind.model.host import Host
from pagemind.model.reply import ReplyReader
from pagemind.model.second_look import second_look
from pagemind.model.served import Server
from pagemind.model.server_counter import ServerCounter
from pagemind.model.traits import Traits
from pagemind.model.upstream import FAILURES, as_reasoner_error
from pagemind.model.wire import error_text, refused_extra, request_body
from pagemind.records import CallPiece, Completion, Piece, Prompt
from pagemind.settings import Settings

DEFAULT_WINDOW_TOKENS = 8192
UNPROCESSABLE = frozenset({400, 422, 500})
"""500 too: so llama.cpp answers what its chat template refuses."""
FAILED_CONNECTIONS = (ReasonerUnreachable, ReasonerCutOff)


class OpenAIReasoner:
    """Streams replies from one model of one server. What the server says of itself is asked once for each life of it."""

    is_language_model = True

    def __init__(
        self,
        settings: Settings,
        url: str,
        *,
        model: str | None = None,
        api_key: str = "",
        window_tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``window_tokens`` bounds the window further."""
        self.url = without_password(url)
        self._api_key = api_key
        self._silence_seconds = settings.reasoner_silence_seconds
        self._limit_chars = settings.reply_limit_chars
        self._client = make_client(
            url,
            api_key,
            connect_seconds=settings.reasoner_connect_seconds,
            silence_seconds=settings.reasoner_silence_seconds,
            limit_chars=settings.reply_limit_chars,
        )
        self._host = Host(Server(self._client), self.url, model or "", self._told, clock)
        self.tokens = ServerCounter(self._host)
        self._set_window = settings.window_tokens
        self._bound_window = window_tokens
        self._background_calls = settings.reasoner_background_calls
        self._places = 0
        self._background = asyncio.Semaphore(0)

    @property
    def name(self) -> str:
        """The model and where it is, for people."""
        return f"{self.model or 'a model'} at {urlsplit(self.url).netloc or self.url}"

    @property
    def model(self) -> str:
        """The configured model, else the first that the server lists; empty until it has answered once."""
        return self._host.model

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of the chat models that the server lists; none until it has answered once."""
        return self._host.listed

    @property
    def window_tokens(self) -> int:
        """As configured, else as the server says, else 8192."""
        known = self._set_window or self._host.window
        if self._bound_window:
            return min(self._bound_window, known) if known else self._bound_window
        return known or DEFAULT_WINDOW_TOKENS

    @property
    def traits(self) -> tuple[tuple[str, Traits], ...]:
        """What is known of the server, under its name."""
        return ((self.name, self._host.traits),)

    async def learn(self) -> None:
        """Ask the server what is not known yet of this life of it. Raises ``ReasonerError``."""
        await self._host.learn()
        try:
            await self.tokens.find_out()
        except FAILURES as error:
            raise self._told(error) from error

    async def settle(self, affinity: str) -> bool:
        """Look whether the server is the one it was, where some time has passed; False where it is out of reach."""
        return await self._host.settle()

    def home(self, affinity: str) -> str:
        """The server's URL and, where it tells when it started, which life of it; empty until it has answered once."""
        return self._host.home

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """The reply as it comes, last the ``Completion``. Raises ``ReasonerError``s and never retries."""
        try:
            await self.learn()
            gate = self._gate() if prompt.background else nullcontext()
            async with gate, aclosing(self._pieces(prompt)) as pieces:
                async for piece in pieces:
                    yield piece
        except FAILED_CONNECTIONS:
            self._host.lost()
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _gate(self) -> asyncio.Semaphore:
        """Background calls have fewer places than the server has slots, so that one is left for who waits."""
        slots = self._host.traits.slots
        places = max(1, min(self._background_calls, slots - 1) if slots else self._background_calls)
        if places != self._places:
            self._places, self._background = places, asyncio.Semaphore(places)
        return self._background

    async def _pieces(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        reader = ReplyReader(self._limit_chars)
        try:
            async with await self._post(prompt) as stream:
                async for chunk in stream:
                    for piece in reader.read(chunk):
                        yield piece
        except FAILURES as error:
            if not reader.ended:
                raise self._told(error) from error
        if not reader.ended:
            raise ReasonerCutOff("the stream ended without a finish reason", url=self.url)
        self._host.heard()
        for piece in self._whole(reader.completion(), prompt):
            yield piece

    def _whole(self, reply: Completion, prompt: Prompt) -> list[Piece]:
        """The completion, after the calls that only a second look found."""
        seen = second_look(reply, prompt)
        found = [CallPiece(call.name) for call in seen.calls] if seen is not reply else []
        return [*found, replace(seen, served_by=self._host.home)]

    async def _post(self, prompt: Prompt) -> AsyncStream[object]:
        """Send the prompt; once more without an extra that the server refuses, which is not offered to it again."""
        while True:
            dialect = self._host.traits.dialect
            body = request_body(prompt, self.model, dialect)
            try:
                # `client.post` hands the chunks over as they are; `chat.completions.create` would build models that assume
                # a well-behaved server.
                return await self._client.post(
                    "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=AsyncStream[object]
                )
            except APIStatusError as error:
                told = error_text(error.body if error.body is not None else error.message)
                extra = refused_extra(dialect, body, told) if error.status_code in UNPROCESSABLE else None
                if extra is None:
                    raise
                self._host.lacks(extra)

    def _told(self, error: BaseException) -> ReasonerError:
        return as_reasoner_error(error, self.url, self._silence_seconds, self._api_key)


def without_password(url: str) -> str:
    """The URL as it may be shown: without ``user:password@``."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
