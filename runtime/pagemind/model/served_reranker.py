"""A reranker behind a server's ``/rerank``, as vLLM, Jina and Cohere have it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from pagemind.errors import ReasonerUnreachable, ReplyTooLong, RerankerRefused
from pagemind.model.client import make_client
from pagemind.model.reranker import DEADLINE_SECONDS, waiting_seconds
from pagemind.model.upstream import FAILURES, as_reasoner_error
from pagemind.model.wire import Json, list_of, object_of, whole
from pagemind.settings import Settings

PATH = "/rerank"
ANSWER_LIMIT_CHARS = 20_000_000
"""Servers send the texts back."""
READY_SECONDS = 30.0


class ServedReranker:
    """Asks a server for scores. ``name`` is its URL, with or without ``/rerank`` at its end."""

    weight = None

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.deadline_seconds = waiting_seconds(settings, DEADLINE_SECONDS)
        self._url = name.rstrip("/").removesuffix(PATH)
        self._model = settings.reranker_model
        self._silence_seconds = settings.reasoner_silence_seconds
        self._api_key = settings.reranker_api_key.get_secret_value() if settings.reranker_api_key else ""
        try:
            self._client = make_client(
                self._url,
                self._api_key,
                connect_seconds=settings.reasoner_connect_seconds,
                silence_seconds=self._silence_seconds,
                limit_chars=ANSWER_LIMIT_CHARS,
            )
        except ReasonerUnreachable as error:
            raise RerankerRefused(url=self._url, reason="that is no URL") from error

    def warm(self) -> None:
        """Nothing to load here."""

    async def ready(self) -> None:
        """Ask for one score. Raises ``RerankerRefused``."""
        if await self.score("ready", ["ready"], deadline_seconds=READY_SECONDS) is None:
            raise RerankerRefused(url=self._url, reason=f"no answer within {READY_SECONDS:g} s")

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """The server's score for each text; None after ``deadline_seconds``, when the request is dropped."""
        if not texts:
            return []
        body: Json = {"documents": [sendable(text) for text in texts], "query": sendable(query)}
        if self._model:
            body["model"] = self._model
        try:
            async with asyncio.timeout(deadline_seconds):
                answer: Any = await self._client.post(PATH, cast_to=object, body=body)
        except TimeoutError:
            return None
        except (*FAILURES, ReplyTooLong) as error:
            raise self._refused(error) from error
        return read_scores(answer, len(texts), self._url)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _refused(self, error: Exception) -> RerankerRefused:
        """What the server said is evidence, kept apart from the reason: it may repeat the texts."""
        if isinstance(error, ReplyTooLong):
            return RerankerRefused(url=self._url, reason=error.cause)
        told = as_reasoner_error(error, self._url, self._silence_seconds, self._api_key)
        return RerankerRefused(told.evidence, url=self._url, reason=told.cause.replace("reasoner", "reranker"))


def sendable(text: str) -> str:
    """The text as a server takes it: several refuse an empty one."""
    return text.encode("utf-8", "replace").decode() or " "


def read_scores(answer: object, count: int, url: str) -> list[float]:
    """The scores of an answer in the order of the texts. Raises ``RerankerRefused`` unless there is one for each."""
    found: dict[int, float] = {}
    for entry in map(object_of, list_of(object_of(answer).get("results"))):
        index, score = whole(entry.get("index")), entry.get("relevance_score")
        if index is not None and isinstance(score, int | float) and math.isfinite(score):
            found[index] = float(score)
    if sorted(found) != list(range(count)):
        raise RerankerRefused(url=url, reason=f"{len(found)} scores for {count} texts")
    return [found[at] for at in range(count)]
