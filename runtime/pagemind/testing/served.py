"""A server under test: a real process on a real port, whose reasoner is played by this process."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from pagemind.testing.openai_server import CHAT, MODELS, OpenAIServer, Play, Request, answers, in_turn, says
from pagemind.testing.shell import Shell

WINDOW_TOKENS = 32_768
MODEL_NAMES = ("m", "org/large")
"""The one that everybody takes, and another."""
LISTENING = re.compile(rb"listens on (http://\S+)")


class Provider:
    """An OpenAI-compatible reasoner on a thread of its own, for tests that are not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._server = OpenAIServer(routes={MODELS: answers(200, {"data": [*map(listed, MODEL_NAMES)]}), CHAT: says("Hello.")})
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL, with ``/v1``."""
        return self._server.url

    @property
    def asked(self) -> list[Request]:
        """The requests for a reply so far."""
        return [request for request in self._server.seen if request.path == CHAT]

    def will(self, *plays: Play) -> None:
        """Reply so from now on: each once, the last one again and again; what was asked before is forgotten."""
        self._server.seen.clear()
        self._server.routes[CHAT] = in_turn(*plays)

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(10)

    def stop(self) -> None:
        """Stop listening, and speaking where it is in the middle of it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        await self._server.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def listed(name: str) -> dict[str, object]:
    """A model in the provider's list."""
    return {"id": name, "max_model_len": WINDOW_TOKENS}


@dataclass(frozen=True)
class Served:
    """A running server: its address, and the reasoner that it asks."""

    url: str
    provider: Provider
    process: subprocess.Popen[bytes]


@contextmanager
def served(shell: Shell, *words: str) -> Generator[Served]:
    """``pagemind serve`` on a free port of loopback, with a played reasoner; ended with the block."""
    provider = Provider()
    provider.start()
    played = shell.under(PAGEMIND_REASONER_URL=provider.url, PAGEMIND_REASONER_RETRY_SECONDS="0.01")
    process = played.start("serve", "--port", "0", *words)
    try:
        yield Served(address(process), provider, process)
    finally:
        process.terminate()
        process.communicate(timeout=30)
        provider.stop()


def address(process: subprocess.Popen[bytes]) -> str:
    """Where the process says it listens; RuntimeError with its last words where it ended instead."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := LISTENING.search(line):
            return found.group(1).decode()
    assert process.stderr is not None
    raise RuntimeError(process.stderr.read().decode())
