"""Evidence recall of the store's search over whole conversations of the LoCoMo form, with the bare question.

``python -m pagemind.testing.locomo.recall FILE...``
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from pagemind.engine.runtime import Runtime
from pagemind.records import Conversation, Message, Role, Run
from pagemind.settings import Settings
from pagemind.store import history, runs
from pagemind.testing.locomo.figures import AT
from pagemind.testing.locomo.talk import ASKED_CATEGORIES, Question, Talk, read_talk
from pagemind.testing.runtime import make_agent


async def recall(runtime: Runtime, talk: Talk, name: str) -> list[tuple[float, ...]]:
    """The share of its evidence among the first 5, 10, 20 found, for each question of the categories 1 to 4 that has any.

    Each turn is a message with its date, stored without a run of the loop: this is about search alone.
    """
    agent = await make_agent(runtime, name, {"human": ""}, {})
    conversation = await runtime.new_conversation(agent)
    seqs = await stored(runtime, conversation, talk)
    await runtime.indexed()
    whole = talk.first(len(talk.sessions))
    asked = [question for question in whole.questions if question.category in ASKED_CATEGORIES]
    return [await shares(runtime, conversation, question, seqs) for question in asked]


async def stored(runtime: Runtime, conversation: Conversation, talk: Talk) -> dict[str, int]:
    """Store the turns as messages; the ``seq`` of each by its ``dia_id``."""
    turns = [(turn.dia_id, turn.dated(session.when)) for session in talk.sessions for turn in session.turns]
    tenant_id = conversation.tenant_id
    async with runtime.kernel.database.transaction() as session:
        run = Run(tenant_id=tenant_id, conversation_id=conversation.id, agent_id=conversation.agent_id)
        await runs.add(session, run)
        said = [
            Message(tenant_id=tenant_id, conversation_id=conversation.id, run_id=run.id, seq=seq, role=Role.user, content=text)
            for seq, (_, text) in enumerate(turns, start=1)
        ]
        await history.add(session, said)
    return {dia_id: seq for seq, (dia_id, _) in enumerate(turns, start=1)}


async def shares(runtime: Runtime, conversation: Conversation, question: Question, seqs: dict[str, int]) -> tuple[float, ...]:
    """The share of the question's evidence among the first hits, for each depth."""
    hits = await runtime.memory.search_conversation(conversation.id, question.question, limit=max(AT))
    found = [hit.seq for hit in hits]
    return tuple(fmean(seqs[turn] in found[:depth] for turn in question.evidence) for depth in AT)


async def main(files: Sequence[str]) -> None:
    """Print the recall of each conversation, then that of all questions."""
    everything: list[tuple[float, ...]] = []
    with TemporaryDirectory(prefix="pagemind-recall-") as home:
        async with await Runtime.open(Settings(home=Path(home), reasoner_url="demo"), work=False) as runtime:
            for number, file in enumerate(files):
                found = await recall(runtime, read_talk(Path(file)), f"talk-{number}")
                everything += found
                tell(Path(file).name, found)
    tell("all", everything)


def tell(name: str, found: Sequence[tuple[float, ...]]) -> None:
    """One line: the questions, and the mean share at each depth."""
    means = "  ".join(f"@{depth} {fmean(share[at] for share in found):.3f}" for at, depth in enumerate(AT))
    sys.stdout.write(f"{name:>12}  {len(found):>4} questions  {means}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
