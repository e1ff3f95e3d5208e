"""How much is done for each figure. Sizes in tokens are those of the server's own tokenizer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The conversation of the reference: its turns, and what stands in its window."""

    turns: int = 200
    static_tokens: int = 2_500
    """System text and tools."""
    block_tokens: int = 1_500
    history_tokens: int = 8_000
    """With so many tokens behind the blocks, the summary among them, the oldest exchanges are paged out between two runs."""
    text_tokens: int = 100
    """Of an input, and of a reply in words."""
    summary_tokens: int = 400
    """Of a summary of what was paged out."""
    reply_tokens: int = 512
    """Kept free for a reply."""
    agents: int = 16
    agent_turns: int = 3
    background_calls: int = 32
    background_tokens: int = 200
    background_tries: int = 3
    step_rounds: int = 40
    references: bool = True
    """Whether the policies that are worse are measured beside it."""

    @property
    def full_tokens(self) -> int:
        """The longest prompt before paging out."""
        return self.static_tokens + self.block_tokens + self.history_tokens


QUICK = Size(
    turns=12,
    static_tokens=1_600,
    block_tokens=300,
    history_tokens=2_400,
    summary_tokens=60,
    reply_tokens=256,
    agents=3,
    agent_turns=1,
    background_calls=6,
    background_tokens=60,
    background_tries=1,
    step_rounds=1,
    references=False,
)
