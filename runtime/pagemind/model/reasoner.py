"""What the engine asks of a reasoner, whichever it is: a language model over HTTP, the demo reasoner, a scripted one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from pagemind.records import Piece, Prompt, TokenCounter


class Reasoner(Protocol):
    """Answers prompts. One instance serves many runs at once."""

    @property
    def name(self) -> str:
        """What people read, such as ``qwen3-8b at 127.0.0.1:8000``."""
        ...

    @property
    def model(self) -> str:
        """The model's name as its server knows it."""
        ...

    @property
    def url(self) -> str:
        """Where it is; empty where it is no server."""
        ...

    @property
    def is_language_model(self) -> bool:
        """False for the demo reasoner, which the screen must say."""
        ...

    @property
    def window_tokens(self) -> int:
        """The context window: prompt and reply together."""
        ...

    @property
    def tokens(self) -> TokenCounter:
        """Counts as this model would."""
        ...

    async def settle(self, affinity: str) -> bool:
        """Make sure, by asking where some time has passed or a call has failed, that ``home`` tells the truth right after.

        Never raises; False where no server is within reach.
        """
        ...

    def home(self, affinity: str) -> str:
        """Which server the next prompt of that affinity would go to, and which life of it; empty where nothing is cached.

        While it stays the same, what was sent there may still be cached; once it changes, nothing of it is.
        """
        ...

    def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The reply as it comes: pieces, and last exactly one ``Completion``. Raises ``ReasonerError``s.

        Never retries; replicas pass a prompt on before its first piece.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Lists(Protocol):
    """A reasoner whose server may have further models."""

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of the chat models that the server lists; none until it has answered once."""
        ...


def models_of(reasoner: Reasoner) -> tuple[str, ...]:
    """The names of the models that can be asked for where the reasoner is, its own first."""
    listed = reasoner.listed if isinstance(reasoner, Lists) else ()
    return tuple(dict.fromkeys(name for name in (reasoner.model, *listed) if name))
