"""Token counts by the server that will serve the prompt: exact for whole prompts on vLLM, for texts on llama.cpp."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from httpx2 import DecodingError
from openai import APIStatusError

from pagemind.errors import ReplyTooLong
from pagemind.model.host import Host
from pagemind.model.tokens import CACHED_TEXTS, TextCounter, estimate
from pagemind.model.upstream import FAILURES
from pagemind.model.wire import Json, chat_messages, chat_tools, list_of, whole
from pagemind.records import CallRequest, PromptMessage, ToolSchema

PROBE_TEXT = "Hello, world"
USER = PromptMessage("user", "x")
SAID = PromptMessage("assistant", "x")

Tokenizing = Literal["vllm", "llama.cpp", "none"]


class ServerCounter(TextCounter):
    """Counts with the server's ``/tokenize``, vLLM's or llama.cpp's; by ``tokens.estimate`` where it has none.

    On vLLM prompts are counted as its chat template prints them: ``frame`` and the ``added`` of each later group sum up to
    ``usage.prompt_tokens``, as long as the template prints a group the same wherever it stands.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._how: Tokenizing | None = None
        self._finding = asyncio.Lock()
        self._known: OrderedDict[bytes, int] = OrderedDict()

    @property
    def exact(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride] - found out by the first count
        """Whether the server tokenizes; False until the first count has found out."""
        return self._how in ("vllm", "llama.cpp")

    async def count(self, text: str) -> int:
        """The tokens of ``text`` alone. Estimated as well while the server is out of reach."""
        text = text.encode("utf-8", "replace").decode()
        counted = await self._once(text, lambda: self._text_tokens(text)) if text else 0
        return estimate(text) if counted is None else counted

    async def frame(self, system: PromptMessage, tools: Sequence[ToolSchema]) -> int:
        """The tokens of a prompt of this system message and these tools, up to where a reply would begin."""
        # Some templates refuse a prompt without a user, or print the tools beside the first one.
        whole_prompt, user = await self._chat([system, USER], tools, opens_reply=True), await self._added([USER])
        if whole_prompt is None or user is None:
            return await super().frame(system, tools)
        return whole_prompt - user

    async def added(self, messages: Sequence[PromptMessage]) -> int:
        """The tokens that these messages, which are appended together, add to a prompt."""
        counted = await self._added(messages) if messages else 0
        return await super().added(messages) if counted is None else counted

    async def find_out(self) -> Tokenizing:
        """Which ``/tokenize`` the server has: asked once, remembered. Raises what the client raises when it is down."""
        async with self._finding:
            if self._how is None:
                self._how = await self._probe()
            return self._how

    async def _added(self, messages: Sequence[PromptMessage]) -> int | None:
        await self._host.settle()
        before, after = surroundings(messages, alternating=self._host.traits.dialect.merges_users)
        around, with_them = await self._chat([*before, *after]), await self._chat([*before, *messages, *after])
        return None if around is None or with_them is None else with_them - around

    async def _chat(
        self, messages: Sequence[PromptMessage], tools: Sequence[ToolSchema] = (), *, opens_reply: bool = False
    ) -> int | None:
        """The tokens of a chat as the server prints it; None where it cannot say."""
        await self._host.settle()
        if not self._host.traits.counts_chats:
            return None
        dialect = self._host.traits.dialect
        sent, declared = chat_messages(messages, dialect), chat_tools(tools, dialect)
        key = json.dumps([sent, declared, opens_reply])

        async def ask() -> int:
            return len(await self._host.server.chat_tokens(self._host.model, sent, declared, opens_reply=opens_reply))

        return await self._once(key, ask)

    async def _once(self, what: str, ask: Callable[[], Awaitable[int | None]]) -> int | None:
        """The count of ``what``: remembered, or asked for; None where the server has no answer or is out of reach."""
        key = hashlib.blake2b(
            f"{self._host.home}\n{self._host.model}\n{what}".encode("utf-8", "replace"), digest_size=16
        ).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        # Not once for each text of a prompt: a server that keeps silent would hold a run up for minutes before it begins.
        if not await self._host.settle():
            return None
        try:
            counted = await ask()
        except (*FAILURES, ReplyTooLong):
            return None
        if counted is not None:
            self._known[key] = counted
            if len(self._known) > CACHED_TEXTS:
                self._known.popitem(last=False)
        return counted

    async def _probe(self) -> Tokenizing:
        candidates: tuple[Tokenizing, ...] = ("vllm", "llama.cpp")
        for how in candidates:
            try:
                if await self._asked(PROBE_TEXT, how):
                    return how
            except (APIStatusError, DecodingError, ValueError):
                continue
        return "none"

    async def _text_tokens(self, text: str) -> int | None:
        return await self._asked(text, await self.find_out())

    async def _asked(self, text: str, how: Tokenizing) -> int | None:
        match how:
            case "vllm":
                body: Json = {"add_special_tokens": False, "model": self._host.model, "prompt": text}
                return whole((await self._host.server.post("/tokenize", body)).get("count"))
            case "llama.cpp":
                found = (await self._host.server.post("/tokenize", {"content": text})).get("tokens")
                return len(list_of(found)) or None
            case "none":
                return None


def surroundings(
    messages: Sequence[PromptMessage], *, alternating: bool
) -> tuple[tuple[PromptMessage, ...], tuple[PromptMessage, ...]]:
    """What to put before and after messages so that their chat is one that a template prints.

    Where roles need not alternate, a user's message stands behind them: several templates print the last turn otherwise than
    the earlier ones, and a group spends its life among the earlier.
    """
    first = messages[0] if messages else USER
    if first.role == "tool":
        calls = tuple(CallRequest(message.call_id or "", message.name or "x", "{}") for message in messages if message.call_id)
        before = (USER, PromptMessage("assistant", "", calls=calls))
    elif first.role == "user" and alternating:
        before = (USER, SAID)
    else:
        before = (USER,)
    return before, () if alternating else (USER,)
