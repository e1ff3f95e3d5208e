"""How documents are cut: into pieces that the embedder reads whole, measured in its own tokens where it can count them."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.errors import ChunkTooLong
from pagemind.memory.chunks import TOKENS, Count, estimated
from pagemind.model.embedder import Embedder
from pagemind.model.ruler import ruler_of


@dataclass(frozen=True)
class Cutting:
    """Pieces of at most so many tokens, counted so."""

    tokens: int = TOKENS
    count: Count = estimated


async def cutting_for(embedder: Embedder, tokens: int | None = None) -> Cutting:
    """Pieces that the embedder reads whole, of at most ``tokens`` if given. Raises ChunkTooLong, EmbedderError."""
    ruler = await ruler_of(embedder)
    if ruler is None:
        return Cutting(tokens or TOKENS)
    if tokens is not None and tokens > ruler.most_tokens:
        raise ChunkTooLong(asked=tokens, most=ruler.most_tokens)
    return Cutting(tokens or min(TOKENS, ruler.most_tokens), ruler.count)
