"""Summarize: what stands in the place of messages that are paged out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from pagemind.engine.epochs import COLD
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy
from pagemind.engine.window import Window
from pagemind.errors import ReasonerError
from pagemind.memory.compiler import as_prompts
from pagemind.memory.summary import in_words, outline, shortened
from pagemind.records import Cause, Completion, Message, Prompt, PromptMessage, Usage
from pagemind.records.view import Resident

UNTOLD_TOKENS = 32
"""What the note takes that stands for a search's hits, at most."""


@dataclass
class Spent:
    """Tokens that the calls took, as far as the server reported them."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0

    def add(self, usage: Usage) -> None:
        """Book one call."""
        self.prompt += usage.prompt_tokens or 0
        self.cached += usage.cached_tokens or 0
        self.completion += usage.completion_tokens or 0


@dataclass
class Summary:
    """A summary and what it took to get it."""

    text: str
    spent: Spent = field(default_factory=Spent)


async def summarize(
    kernel: Kernel, view: Resident, policy: Policy, window: Window, messages: Sequence[Message], cause: Cause
) -> Summary:
    """The earlier summary carried on over ``messages``, the oldest of the window.

    While the server's cache holds the prompt, it is asked for at the end of the very messages, so that only the question is
    computed; else in prompts of its own, which hold nothing but the messages. Where neither gives anything usable, an outline
    stands in: paging must not wait for a model. What searches brought back is not shown: it must not become a new memory.
    """
    summary, messages = Summary(view.conversation.summary), [untold(kernel, message) for message in messages]
    if cause not in COLD and kernel.reasoner.home(window.prompt.affinity):
        text = await asked(kernel, prompt_in_place(kernel, view, policy, window, messages), summary.spent)
        if text:
            summary.text = shortened(text, policy.budget.summary_tokens)
            return summary
    for piece in pieces(messages, policy.budget.capacity // 2):
        text = await asked(kernel, prompt_of_its_own(kernel, policy, summary.text, piece, window), summary.spent)
        summary.text = shortened(text or outline(summary.text, piece), policy.budget.summary_tokens)
    return summary


async def asked(kernel: Kernel, prompt: Prompt, spent: Spent) -> str:
    """The reply's words; nothing where the call fails, or where it tries to call a tool in so many words."""
    try:
        reply = await whole(kernel, prompt)
    except ReasonerError:
        return ""
    spent.add(reply.usage)
    return reply.text.strip() if in_words(reply.text) else ""


def prompt_in_place(kernel: Kernel, view: Resident, policy: Policy, window: Window, messages: Sequence[Message]) -> Prompt:
    """The window up to the last of ``messages``, which the cache holds, with the request for their summary after it."""
    words = words_of(policy.budget.summary_tokens)
    request = kernel.prose.compaction(messages, earlier=bool(view.conversation.summary), max_words=words)
    # As the window has them, so that the cache serves them, up to the first that is told otherwise.
    told = chain.from_iterable(as_prompts(message) for message in messages)
    return replace(
        window.prompt,
        messages=(*window.prompt.messages[: len(window.head)], *told, PromptMessage("user", request)),
        # A model that thinks first needs room for it; what is too long in the end is shortened.
        max_reply_tokens=policy.budget.summary_tokens + policy.generation.max_reply_tokens,
        purpose="summary",
        tool_choice="none",
        response_format=None,
    )


def prompt_of_its_own(kernel: Kernel, policy: Policy, summary: str, messages: Sequence[Message], window: Window) -> Prompt:
    """The earlier summary and the messages, with the request for the new one."""
    limit = policy.budget.summary_tokens
    system = kernel.prose.summarize_system(max_words=words_of(limit))
    return Prompt(
        messages=(PromptMessage("system", system), PromptMessage("user", kernel.prose.summarize(summary, messages))),
        max_reply_tokens=limit,
        purpose="summary",
        model=policy.generation.model,
        temperature=policy.generation.temperature,
        affinity=window.prompt.affinity,
    )


def untold(kernel: Kernel, message: Message) -> Message:
    """The message; of one that repeats what a search brought back, only how much that was."""
    if not message.recalled:
        return message
    hits = sum(1 for line in message.content.splitlines() if line.strip())
    return message.model_copy(update={"content": kernel.prose.recalled(hits), "tokens": min(message.tokens, UNTOLD_TOKENS)})


def words_of(tokens: int) -> int:
    """How many words fit: an English word takes about four thirds of a token."""
    return tokens * 3 // 4


async def whole(kernel: Kernel, prompt: Prompt) -> Completion:
    """The completion, without telling anybody of its pieces."""
    async for piece in kernel.think(prompt):
        if isinstance(piece, Completion):
            return piece
    return Completion("")


def pieces(messages: Sequence[Message], limit_tokens: int) -> Iterator[list[Message]]:
    """The messages in runs of at most ``limit_tokens``; one that is longer by itself comes alone, cut in its middle."""
    piece: list[Message] = []
    size = 0
    for message in messages:
        tokens = message.tokens
        if tokens > limit_tokens:
            message = message.model_copy(update={"content": shortened(message.content, limit_tokens)})
            tokens = limit_tokens
        if piece and size + tokens > limit_tokens:
            yield piece
            piece, size = [], 0
        piece.append(message)
        size += tokens
    if piece:
        yield piece
