"""What one server can do beyond the plain wire; ``model/probes.py`` finds it out."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.model.wire import ANY_SERVER, Dialect


@dataclass(frozen=True)
class Traits:
    """What is known of a server. The default is what holds for one that tells nothing of itself."""

    dialect: Dialect = ANY_SERVER
    vllm: str = ""
    """The version of vLLM; empty for any other server."""
    start: str = ""
    """When its process started, which names one life of it; empty where it does not say."""
    slots: int | None = None
    """How many calls it carries at a time, where it says so."""
    counts_chats: bool = False
    """Whether it counts a prompt as its chat template prints it."""
    drops_thinking: bool = False
    """Whether its chat template prints thinking in the last turn and not, or otherwise, in earlier ones."""

    @property
    def keeps_thinking(self) -> bool:
        """Whether the thinking of earlier turns goes back and stays in the prompt."""
        return self.dialect.reasoning_field is not None

    def life(self, url: str) -> str:
        """The name of this life of the server at ``url``; the bare URL where lives cannot be told apart."""
        return f"{url}#{self.start}" if self.start else url
