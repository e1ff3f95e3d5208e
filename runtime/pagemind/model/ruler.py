"""Rulers: how long texts are in an embedder's own tokens, so that no piece of a document is longer than what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from tokenizers import Tokenizer


@dataclass(frozen=True)
class Ruler:
    """Counts tokens, from any thread. ``most_tokens`` is what the embedder reads of one text; it passes over the rest."""

    count: Callable[[Sequence[str]], list[int]]
    most_tokens: int


@runtime_checkable
class Measuring(Protocol):
    """An embedder that can tell how long texts are."""

    async def ruler(self) -> Ruler:
        """Its ruler, once the model is loaded. Raises ``EmbedderError``."""
        ...


async def ruler_of(embedder: object) -> Ruler | None:
    """The embedder's ruler; None where it has none: servers do not say how they count. Raises ``EmbedderError``."""
    return await embedder.ruler() if isinstance(embedder, Measuring) else None


def ruler(tokenizer: Any, longest: int, prompt: str) -> Ruler:
    """The ruler of a model that reads ``longest`` tokens, its special ones and those of the prompt among them."""
    # A copy: the model's own cuts what is too long.
    copy: Any = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        return [len(encoding.ids) for encoding in copy.encode_batch_fast(clean, add_special_tokens=False)]

    return Ruler(count, longest - len(copy.encode(prompt).ids))
