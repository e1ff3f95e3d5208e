"""Room: the returns of a reply's calls take no more than the window leaves beside what must stay in it.

What must stay is the frame (system, tools, blocks), a summary, and the newest exchange, which the returns belong to. A return
that does not fit is cut in its middle and says so: the model can ask for less, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from pagemind.engine.kernel import Kernel
from pagemind.engine.turn import Turn
from pagemind.memory.compiler import as_prompt
from pagemind.memory.pager import exchanges
from pagemind.records import Message
from pagemind.toolbox.calls import cut_middle

CUTS = 4
"""How often a return is cut again where its characters make more tokens than those of the whole did on average."""
SPARE = 0.9
LEAST_CHARS = 200
"""So much is left in any case: how it begins, and that it was cut."""


async def fit(turn: Turn, messages: Sequence[Message]) -> None:
    """Count a reply's returns, which follow it in ``messages``, and cut them as far as the window wants it."""
    reply, *returns = messages
    await count_returns(turn.kernel, messages)
    behind = turn.policy.budget.capacity - turn.window.prompt.segments.used - reply.tokens
    if sum(each.tokens for each in returns) <= behind:
        return  # as nearly always, and without a look at each message
    left = max(0, behind, room(turn) - reply.tokens)
    for _ in range(CUTS):
        taken = sum(each.tokens for each in returns)
        if taken <= left:
            return
        share = SPARE * left / taken
        for each in returns:
            each.content = cut_middle(each.content, max(LEAST_CHARS, int(len(each.content) * share)))
        await count_returns(turn.kernel, messages)


def room(turn: Turn) -> int:
    """The tokens that fit behind the prompt once everything is paged out that may be."""
    segments, budget = turn.window.prompt.segments, turn.policy.budget
    *_, newest = exchanges(turn.view.messages) or [()]
    head = segments.used - segments.messages - segments.summary
    return budget.capacity - head - max(segments.summary, budget.summary_tokens) - sum(message.tokens for message in newest)


async def count_returns(kernel: Kernel, messages: Sequence[Message]) -> None:
    """Count the returns of one reply's calls. A template may print them as one, so the last bears what they cost together."""
    reply, *returns = messages
    together = await kernel.count_added(*map(as_prompt, messages)) - reply.tokens
    for each in returns[:-1]:
        each.tokens = await kernel.count(each.content)
        together -= each.tokens
    returns[-1].tokens = together
