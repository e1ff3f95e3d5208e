"""The server of ``openai_server``, dressed as vLLM: version, start time and ``/tokenize``, with a chat template of words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast
from zlib import crc32

from pagemind.model.wire import list_of
from pagemind.testing.openai_server import CHAT, MODELS, OpenAIServer, Play, Request, Write, answers, delta, streams

Json = dict[str, Any]
VERSION, METRICS, TOKENIZE = "/version", "/metrics", "/tokenize"
WINDOW_TOKENS = 4321


class Refused(Exception):
    """The chat template raised."""


@dataclass(frozen=True)
class WordTemplate:
    """Prints a chat as words, each a token. By default each message by itself, wherever it stands."""

    alternates: bool = False
    """It refuses two users, or two assistants, in a row."""
    merges_users: bool = False
    """It prints users in a row as one turn."""
    keeps_thinking: bool = True
    """It prints the thinking of earlier turns too, not only that of the last one."""
    reasoning_field: str = "reasoning"

    def tokens(self, body: Json) -> list[int]:
        """The tokens of a request's messages and tools. Raises ``Refused``."""
        messages = cast("list[Json]", body["messages"])
        words = ["<s>", *(word for tool in list_of(body.get("tools")) for word in re.findall(r"\w+|\W", str(tool)))]
        for at, message in enumerate(messages):
            before = messages[at - 1]["role"] if at else ""
            if self.alternates and before == message["role"] in ("user", "assistant"):
                raise Refused
            if self.merges_users and before == message["role"] == "user":
                words.pop()
            else:
                words.append(f"<{message['role']}>")
            words += [*self._words(message, last=at == len(messages) - 1), "<end>"]
        return [
            crc32(word.encode()) for word in [*words, *(["<assistant>"] if body.get("add_generation_prompt", True) else [])]
        ]

    def _words(self, message: Json, *, last: bool) -> list[str]:
        calls = " ".join(json.dumps(call) for call in list_of(message.get("tool_calls")))
        thought = message.get(self.reasoning_field) if last or self.keeps_thinking else None
        return f"{thought or ''} {message.get('content') or ''} {calls}".split()


def dress_as_vllm(server: OpenAIServer, template: WordTemplate | None = None, *, start: str = "1.7e+09") -> None:
    """Let the server answer as vLLM does; a new ``start`` makes it another life. Replies are ``ok`` with exact usage."""
    printed = template or WordTemplate()
    server.routes |= {
        MODELS: answers(200, {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": WINDOW_TOKENS}]}),
        VERSION: answers(200, {"version": "0.32.0"}),
        METRICS: tells(f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {start}\n"),
        TOKENIZE: tokenizes(printed),
        CHAT: replies_ok(printed),
    }


def tells(text: str) -> Play:
    """Answer with plain text."""

    async def play(request: Request, write: Write) -> None:
        head = f"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
        await write(f"{head}{text}".encode())

    return play


def tokenizes(template: WordTemplate) -> Play:
    """Answer ``/tokenize``, for a text or for messages."""

    async def play(request: Request, write: Write) -> None:
        try:
            tokens = template.tokens(request.body) if "messages" in request.body else [1] * len(request.body["prompt"].split())
        except Refused:
            await answers(400, {"error": {"message": "roles must alternate"}})(request, write)
        else:
            await answers(200, {"count": len(tokens), "tokens": tokens})(request, write)

    return play


def replies_ok(template: WordTemplate) -> Play:
    """Reply ``ok`` with the prompt's tokens as the template prints it; 400 where it refuses."""

    async def play(request: Request, write: Write) -> None:
        try:
            usage = {"prompt_tokens": len(template.tokens(request.body)), "completion_tokens": 1}
        except Refused:
            await answers(400, {"error": {"message": "roles must alternate"}})(request, write)
        else:
            await streams(delta("stop", content="ok"), {"choices": [], "usage": usage})(request, write)

    return play
