"""The reasoner behind an OpenAI-compatible server: vLLM, Ollama, LM Studio, llama.cpp, or a service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from openai import AsyncStream

from pagemind.errors import ReasonerCutOff, ReasonerRefused
from pagemind.model.client import make_client
from pagemind.model.served import Server, ServerCounter
from pagemind.model.upstream import FAILURES, as_reasoner_error
from pagemind.model.wire import Json, ReplyReader, request_body
from pagemind.records import Piece, Prompt
from pagemind.settings import Settings

DEFAULT_WINDOW_TOKENS = 8192
NOT_LISTED: Json = {}


class OpenAIReasoner:
    """Streams replies from one model of one server. What the server says of itself is asked once, when it first answers."""

    is_language_model = True

    def __init__(
        self,
        settings: Settings,
        url: str,
        *,
        model: str | None = None,
        api_key: str = "",
        window_tokens: int | None = None,
        reasoning_field: str | None = None,
    ) -> None:
        """``window_tokens`` bounds the window further; ``reasoning_field`` names where this server takes thinking back."""
        self.url = without_password(url)
        self._api_key = api_key
        self._model = model or ""
        self._silence_seconds = settings.reasoner_silence_seconds
        self._limit_chars = settings.reply_limit_chars
        self._client = make_client(
            url,
            api_key,
            connect_seconds=settings.reasoner_connect_seconds,
            silence_seconds=settings.reasoner_silence_seconds,
            limit_chars=settings.reply_limit_chars,
        )
        self._server = Server(self._client)
        self.tokens = ServerCounter(self._server, lambda: self._model)
        self._set_window = settings.window_tokens
        self._bound_window = window_tokens
        self._served_window: int | None = None
        self._reasoning_field = reasoning_field
        self._learned = False
        self._learning = asyncio.Lock()

    @property
    def name(self) -> str:
        """The model and where it is, for people."""
        return f"{self._model or 'a model'} at {urlsplit(self.url).netloc or self.url}"

    @property
    def model(self) -> str:
        """The configured model, else the first that the server lists; empty until it has answered once."""
        return self._model

    @property
    def window_tokens(self) -> int:
        """As configured, else as the server says, else 8192."""
        known = self._set_window or self._served_window
        if self._bound_window:
            return min(self._bound_window, known) if known else self._bound_window
        return known or DEFAULT_WINDOW_TOKENS

    async def learn(self) -> None:
        """Ask the server, once, for its models, the context window and its tokenizer. Raises ``ReasonerError``."""
        async with self._learning:
            if self._learned:
                return
            try:
                listed = await self._listed()
                if not self._set_window:
                    self._served_window = await self._server.window(self._model, listed)
                await self.tokens.find_out()
            except FAILURES as error:
                raise self._told(error) from error
            self._learned = True

    def home(self, affinity: str) -> str:
        """The server's URL."""
        return self.url

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The reply as it comes, last the ``Completion``. Raises ``ReasonerError``s and never retries."""
        if not self._learned:
            await self.learn()
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
        yield reader.completion()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _post(self, prompt: Prompt) -> AsyncStream[object]:
        # `client.post` hands the chunks over as they are; `chat.completions.create` would build models that assume a
        # well-behaved server.
        return await self._client.post(
            "/chat/completions", cast_to=object, body=self._body(prompt), stream=True, stream_cls=AsyncStream[object]
        )

    def _body(self, prompt: Prompt) -> Json:
        # OpenAI's own newer models refuse `max_tokens`; several local servers know nothing else.
        official = urlsplit(self.url).hostname == "api.openai.com"
        reply_field = "max_completion_tokens" if official else "max_tokens"
        return request_body(prompt, self._model, reply_field=reply_field, reasoning_field=self._reasoning_field)

    async def _listed(self) -> Json:
        """The model's entry in ``/v1/models``. A server without that list is fine as long as the model is configured."""
        try:
            models = await self._server.models()
        except FAILURES as error:
            told = self._told(error)
            if self._model and isinstance(told, ReasonerRefused):
                return {}
            raise told from error
        if not self._model:
            if not models:
                raise ReasonerRefused("it lists no chat model; set PAGEMIND_REASONER_MODEL", url=self.url, status=200)
            self._model = str(models[0]["id"])
        return next((entry for entry in models if entry["id"] == self._model), NOT_LISTED)

    def _told(self, error: BaseException) -> Exception:
        return as_reasoner_error(error, self.url, self._silence_seconds, self._api_key)


def without_password(url: str) -> str:
    """The URL as it may be shown: without ``user:password@``."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
