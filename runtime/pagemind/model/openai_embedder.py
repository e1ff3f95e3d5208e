"""An embedder behind an OpenAI-compatible ``/v1/embeddings``."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from pagemind.errors import EmbedderError, ReasonerUnreachable, ReplyTooLong
from pagemind.model.client import make_client
from pagemind.model.embedder import Kind
from pagemind.model.upstream import FAILURES, as_reasoner_error
from pagemind.model.wire import Json, list_of, object_of, whole
from pagemind.settings import Settings

TEXTS_A_CALL = 64
CALLS_AT_ONCE = 4
ANSWER_LIMIT_CHARS = 20_000_000
"""64 vectors of 4096 numbers, written out, are some six million characters."""
DEFAULT_URL = "https://api.openai.com/v1"


class OpenAIEmbedder:
    """Asks a server for vectors. A query waits behind at most ``CALLS_AT_ONCE`` calls for documents, on a lane of its own."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.embedder
        self.dimensions = 0
        self._model = settings.embedder.removeprefix("openai:")
        self._url = settings.embedder_url or DEFAULT_URL
        self._api_key = settings.embedder_api_key.get_secret_value() if settings.embedder_api_key else ""
        self._silence_seconds = settings.reasoner_silence_seconds
        self._connect_seconds = settings.reasoner_connect_seconds
        try:
            self._client = make_client(
                self._url,
                self._api_key,
                connect_seconds=self._connect_seconds,
                silence_seconds=self._silence_seconds,
                limit_chars=ANSWER_LIMIT_CHARS,
            )
        except ReasonerUnreachable as error:
            raise EmbedderError(error.evidence) from error
        self._lanes: dict[Kind, asyncio.Semaphore] = {
            "query": asyncio.Semaphore(CALLS_AT_ONCE),
            "document": asyncio.Semaphore(CALLS_AT_ONCE),
        }

    def warm(self) -> None:
        """Nothing to load here."""

    async def ready(self) -> None:
        """Ask for one vector, which tells the dimensions. Raises ``EmbedderError``."""
        if not self.dimensions:
            await self.embed(["ready"], kind="query")

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        """A unit vector for each text. Raises ``EmbedderError``."""
        parts = [texts[at : at + TEXTS_A_CALL] for at in range(0, len(texts), TEXTS_A_CALL)]
        answers = await asyncio.gather(*(self._part(part, kind) for part in parts))
        return [vector for answer in answers for vector in answer]

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _part(self, texts: Sequence[str], kind: Kind) -> list[list[float]]:
        # An empty text is refused by several servers.
        clean = [text.encode("utf-8", "replace").decode() or " " for text in texts]
        body: Json = {"encoding_format": "float", "input": clean, "model": self._model}
        try:
            async with self._lanes[kind]:
                answer = await self._client.post("/embeddings", cast_to=object, body=body)
        except (*FAILURES, ReplyTooLong) as error:
            told = (
                error
                if isinstance(error, ReplyTooLong)
                else as_reasoner_error(error, self._url, self._silence_seconds, self._api_key)
            )
            raise EmbedderError(f"{told.cause.replace('reasoner', 'embedder')} {told.evidence}".strip()) from error
        vectors = read_vectors(answer, len(clean))
        self.dimensions = len(vectors[0])
        return vectors


def read_vectors(answer: object, count: int) -> list[list[float]]:
    """The vectors of an answer in the order of their ``index``, made unit. Raises ``EmbedderError``."""
    entries = [object_of(entry) for entry in list_of(object_of(answer).get("data"))]
    entries.sort(key=lambda entry: whole(entry.get("index")) or 0)
    rows = [
        [float(number) for number in list_of(entry.get("embedding")) if isinstance(number, int | float)] for entry in entries
    ]
    if len(rows) != count or not all(rows) or len({len(row) for row in rows}) != 1:
        raise EmbedderError(f"the server answered with {len(rows)} vectors for {count} texts, or with vectors of unlike length")
    return [unit(row) for row in rows]


def unit(row: list[float]) -> list[float]:
    """The row at length one; a row of zeros stays."""
    norm = math.sqrt(sum(number * number for number in row))
    return [number / norm for number in row] if norm else row
