"""What a server says of its models: their names and context windows, and a tokenizer if it has one."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Literal

import httpx2
from openai import APIStatusError, AsyncOpenAI

from pagemind.errors import ReplyTooLong
from pagemind.model.models import chat_models
from pagemind.model.tokens import CACHED_TEXTS, TextCounter, estimate
from pagemind.model.upstream import FAILURES
from pagemind.model.wire import Json, list_of, object_of, text_of, whole

ASK_SECONDS = 5.0
OLLAMA_DEFAULT_WINDOW = 4096
"""What Ollama gives a model that sets no ``num_ctx``; what stands beyond it is dropped from the prompt without a word."""
WINDOW_FIELDS = ("max_model_len", "context_length", "context_window", "loaded_context_length", "n_ctx")
PROBE_TEXT = "Hello, world"


class Server:
    """Questions to an OpenAI-compatible server outside its ``/chat/completions``."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client
        self._root = str(client.base_url).rstrip("/").removesuffix("/v1")

    async def models(self) -> list[Json]:
        """The chat models it lists. Raises what the client raises."""
        return chat_models(await self._client.get("/models", cast_to=object, options={"timeout": ASK_SECONDS}))

    async def window(self, model: str, listed: Json) -> int | None:
        """The context window of a model: by its entry in ``/v1/models``, else as the server's family tells it."""
        for field in WINDOW_FIELDS:
            if found := whole(listed.get(field)):
                return found
        questions = (self._llama_window, self._ollama_window, self._lm_studio_window)
        for question in questions:
            if found := await self._window_by(question, model):
                return found
        return whole(object_of(listed.get("meta")).get("n_ctx_train"))

    async def get(self, path: str) -> Json:
        """The JSON object at a path from the server's root."""
        return object_of(await self._client.get(self._root + path, cast_to=object, options={"timeout": ASK_SECONDS}))

    async def post(self, path: str, body: Json) -> Json:
        """The JSON object that a path from the server's root answers to a body."""
        return object_of(
            await self._client.post(self._root + path, cast_to=object, body=body, options={"timeout": ASK_SECONDS})
        )

    async def _window_by(self, question: Callable[[str], Awaitable[int | None]], model: str) -> int | None:
        try:
            return await question(model)
        except (*FAILURES, ReplyTooLong):
            return None

    async def _llama_window(self, model: str) -> int | None:
        props = await self.get("/props")
        return whole(object_of(props.get("default_generation_settings")).get("n_ctx"))

    async def _ollama_window(self, model: str) -> int | None:
        shown = await self.post("/api/show", {"model": model})
        info = object_of(shown.get("model_info"))
        longest = next((whole(value) for key, value in info.items() if key.endswith(".context_length")), None)
        if longest is None:
            return None
        running = [object_of(entry) for entry in list_of((await self.get("/api/ps")).get("models"))]
        loaded = next((whole(entry.get("context_length")) for entry in running if entry.get("name") == model), None)
        return loaded or num_ctx(text_of(shown.get("parameters"))) or min(longest, OLLAMA_DEFAULT_WINDOW)

    async def _lm_studio_window(self, model: str) -> int | None:
        entries = [object_of(entry) for entry in list_of((await self.get("/api/v0/models")).get("data"))]
        entry = object_of(next((entry for entry in entries if entry.get("id") == model), None))
        return whole(entry.get("loaded_context_length")) or whole(entry.get("max_context_length"))


def num_ctx(parameters: str) -> int | None:
    """``num_ctx`` of an Ollama model's parameters, which are lines of name and value."""
    fields = [line.split() for line in parameters.splitlines()]
    return next((int(field[1]) for field in fields if len(field) == 2 and field[0] == "num_ctx" and field[1].isdigit()), None)


Tokenizing = Literal["vllm", "llama.cpp", "none"]


class ServerCounter(TextCounter):
    """Counts with the server's ``/tokenize``, vLLM's or llama.cpp's; by ``tokens.estimate`` where it has none."""

    def __init__(self, server: Server, model: Callable[[], str]) -> None:
        self._server = server
        self._model = model
        self._how: Tokenizing | None = None
        self._finding = asyncio.Lock()
        self._known: OrderedDict[bytes, int] = OrderedDict()

    @property
    def exact(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride] - found out by the first count
        """Whether the server tokenizes; False until the first count has found out."""
        return self._how in ("vllm", "llama.cpp")

    async def count(self, text: str) -> int:
        """The tokens of ``text`` alone. Estimated as well while the server is out of reach."""
        if not text:
            return 0
        text = text.encode("utf-8", "replace").decode()
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        try:
            counted = await self._asked(text, await self.find_out())
        except (*FAILURES, ReplyTooLong):
            counted = None
        if counted is None:
            return estimate(text)
        self._known[key] = counted
        if len(self._known) > CACHED_TEXTS:
            self._known.popitem(last=False)
        return counted

    async def find_out(self) -> Tokenizing:
        """Which ``/tokenize`` the server has: asked once, remembered. Raises what the client raises when it is down."""
        async with self._finding:
            if self._how is None:
                self._how = await self._probe()
            return self._how

    async def _probe(self) -> Tokenizing:
        candidates: tuple[Tokenizing, ...] = ("vllm", "llama.cpp")
        for how in candidates:
            try:
                if await self._asked(PROBE_TEXT, how):
                    return how
            except APIStatusError:
                continue
            except (ValueError, httpx2.DecodingError):
                continue
        return "none"

    async def _asked(self, text: str, how: Tokenizing) -> int | None:
        match how:
            case "vllm":
                body = {"add_special_tokens": False, "model": self._model(), "prompt": text}
                return whole((await self._server.post("/tokenize", body)).get("count"))
            case "llama.cpp":
                found = (await self._server.post("/tokenize", {"content": text})).get("tokens")
                return len(list_of(found)) or None
            case "none":
                return None
