"""What a server says of itself: its models and their context windows, its life, how it prints a chat in tokens."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from openai import AsyncOpenAI

from pagemind.errors import ReplyTooLong
from pagemind.model.models import chat_models
from pagemind.model.upstream import FAILURES
from pagemind.model.wire import Json, list_of, object_of, text_of, whole

ASK_SECONDS = 5.0
OLLAMA_DEFAULT_WINDOW = 4096
"""What Ollama gives a model that sets no ``num_ctx``; what stands beyond it is dropped from the prompt without a word."""
WINDOW_FIELDS = ("max_model_len", "context_length", "context_window", "loaded_context_length", "n_ctx")
START = re.compile(r"^process_start_time_seconds (\S{1,40})$", re.MULTILINE)
"""The line of Prometheus' text format in which a process says since when it runs, in seconds since 1970."""


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

    async def version(self) -> str:
        """The version that vLLM tells at this place; mostly empty elsewhere. Raises what the client does."""
        return text_of((await self.get("/version")).get("version"))

    async def start(self) -> str:
        """When its process started, in its own words; empty where its metrics do not say. Raises what the client does."""
        found = START.search(await self._client.get(self._root + "/metrics", cast_to=str, options={"timeout": ASK_SECONDS}))
        return found[1] if found else ""

    async def slots(self) -> int | None:
        """How many calls llama.cpp carries at a time; None where the server does not say. Raises what the client does."""
        return whole((await self.get("/props")).get("total_slots"))

    async def chat_tokens(
        self, model: str, messages: Sequence[Json], tools: Sequence[Json] = (), *, opens_reply: bool = False
    ) -> list[object]:
        """The tokens that vLLM's chat template makes of messages, up to where a reply begins if ``opens_reply``.

        Raises what the client does; vLLM answers 400 where the template refuses the messages.
        """
        body: Json = {"add_generation_prompt": opens_reply, "messages": list(messages), "model": model}
        if tools:
            body["tools"] = list(tools)
        return list(list_of((await self.post("/tokenize", body)).get("tokens")))

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
