"""Token counters that need no server: a tokenizer file, a rule of thumb."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from pagemind.model import weights
from pagemind.records import PromptMessage, ToolSchema

WORD = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_")
BYTES_PER_TOKEN = 4
CACHED_TEXTS = 4096


@lru_cache
def tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json``, without truncation or padding."""
    loaded = Tokenizer.from_file(str(path))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@lru_cache(512)
def estimate(text: str) -> int:
    """Tokens by a rule of thumb: UTF-8 bytes / 4, and at least the words, digits and signs * 3 / 4.

    Byte-pair tokenizers give 4 to 5 bytes a token on English prose and less on code, digits and other scripts: the second
    term covers the former two, counting bytes instead of characters the latter.
    """
    by_bytes = -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
    return max(by_bytes, len(WORD.findall(text)) * 3 // 4)


class TextCounter(ABC):
    """Counts prompts text by text, for reasoners that know no chat template; a tool is the line of JSON that declares it."""

    exact: bool = True

    @abstractmethod
    async def count(self, text: str) -> int:
        """The tokens of ``text``."""

    async def frame(self, system: PromptMessage, tools: Sequence[ToolSchema]) -> int:
        """The tokens of the system message and the tools."""
        return sum([await self.count(text) for text in (system.content, *(tool.text for tool in tools))])

    async def added(self, messages: Sequence[PromptMessage]) -> int:
        """The tokens of the messages' texts and calls."""
        texts = [message.content for message in messages]
        texts += [f"{call.name} {call.arguments}" for message in messages for call in message.calls]
        return sum([await self.count(text) for text in texts])


class EstimatingCounter(TextCounter):
    """Counts by ``estimate``."""

    exact = False

    async def count(self, text: str) -> int:
        """The estimated tokens of ``text``."""
        return estimate(text)


class WordPieceCounter(TextCounter):
    """Counts with the WordPiece tokenizer of all-MiniLM-L6-v2; by ``estimate`` where its file is missing.

    The demo reasoner measures its window with it, so for that "model" the counts are exact by definition.
    """

    def __init__(self) -> None:
        folder = weights.minilm_folder()
        self._file = folder / "tokenizer.json" if folder else None
        self._cached = lru_cache(CACHED_TEXTS)(self._count)

    async def count(self, text: str) -> int:
        """The tokens of ``text`` without special ones."""
        return self._cached(text)

    def _count(self, text: str) -> int:
        if self._file is None:
            return estimate(text)
        return len(tokenizer(self._file).encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids)
