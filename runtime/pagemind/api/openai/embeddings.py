"""``/v1/embeddings``: the runtime's own embedder."""

from __future__ import annotations

import base64
import struct
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from pagemind.api.here import Caller
from pagemind.api.openai.route import openai_router, refusal
from pagemind.model.tokens import estimate
from pagemind.records.text import clean_text

router = openai_router()

MOST_TEXTS = 2048
MOST_CHARS = 200_000
Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARS)]


class EmbeddingsRequest(BaseModel):
    """Texts to embed."""

    model: str = Field(max_length=500)
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=100_000)


@router.post("/v1/embeddings")
async def embed(here: Caller, asked: EmbeddingsRequest) -> dict[str, Any]:
    """A unit vector for each text, as documents of the archive are embedded."""
    embedder = here.runtime.kernel.embedder
    if not same_model(asked.model, embedder.name):
        message = f"There is no embedding model {asked.model[:80]!r} here: it is {embedder.name!r}."
        raise refusal(message, "model", code="model_not_found", status=HTTPStatus.NOT_FOUND)
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [clean_text(text) for text in given]
    vectors = await embedder.embed(texts, kind="document")
    if asked.dimensions not in (None, len(vectors[0])):
        raise refusal(f"{embedder.name} has {len(vectors[0])} dimensions and cannot give {asked.dimensions}.", "dimensions")
    tokens = sum(estimate(text) for text in texts)
    data = [{"object": "embedding", "index": n, "embedding": encoded(v, asked.encoding_format)} for n, v in enumerate(vectors)]
    return {"object": "list", "model": embedder.name, "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def same_model(asked: str, name: str) -> bool:
    """Whether the name asked for is the embedder's, whatever stands before its last ``/``."""
    return asked.rpartition("/")[2].lower() == name.rpartition("/")[2].lower()


def encoded(vector: list[float], form: Literal["float", "base64"]) -> list[float] | str:
    """The vector as numbers, or as the base64 of its little-endian 32-bit floats."""
    return vector if form == "float" else base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
