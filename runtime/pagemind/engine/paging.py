"""Paging, looked at from outside: what each epoch of a conversation was, and what of it was needed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.records import Agent, Conversation, Epoch
from pagemind.store import agents, blocks, conversations, messages, paging, paging_report
from pagemind.store.paging_report import Faulted, FaultSums, StepPoint, StepSums

SOON_TURNS = 20
"""A page fault within so many turns of the eviction says that the eviction was wrong."""
MOST_FAULTED = 5
POINTS = 2_000


@dataclass(frozen=True)
class EpochReport:
    """One epoch: how it began (``epoch``; None for the first), what was done in it, what came back of what it paged out."""

    number: int
    began_at: datetime | None
    """None where it is not recorded."""
    turns: int
    """How many inputs took their place in it."""
    epoch: Epoch | None
    steps: StepSums
    faults: FaultSums


@dataclass(frozen=True)
class PagingReport:
    """A conversation's paging. ``soon_turns`` is what counts as soon."""

    agent: Agent
    conversation: Conversation
    messages: int
    soon_turns: int
    epochs: Sequence[EpochReport]
    most_faulted: Sequence[Faulted]
    block_hits: Mapping[str, int]
    """Every block of the agent, and the number of steps whose reply drew on it."""
    points: Sequence[StepPoint]

    @property
    def steps(self) -> StepSums:
        """The sums over all epochs, as if they were one."""
        return total_steps([each.steps for each in self.epochs])

    @property
    def paged_out(self) -> int:
        """How often a message left the window."""
        return sum(each.epoch.messages for each in self.epochs if each.epoch)

    @property
    def faults(self) -> int:
        """How often one was brought back."""
        return sum(each.faults.faults for each in self.epochs)

    @property
    def soon(self) -> int:
        """How often one was brought back within ``soon_turns``."""
        return sum(each.faults.soon for each in self.epochs)

    @property
    def fault_tokens(self) -> int:
        """What bringing them back took."""
        return sum(each.faults.tokens for each in self.epochs)

    @property
    def fault_rate(self) -> float | None:
        """Page faults soon after the eviction, for each message paged out; None while nothing was."""
        return self.soon / self.paged_out if self.paged_out else None

    @property
    def cached_share(self) -> float | None:
        """The share of the prompts that a cache served; None where no server tells."""
        steps = self.steps
        return steps.cached_tokens / steps.prompt_tokens if steps.cached_tokens else None

    def hit_rate(self, label: str) -> float:
        """The share of steps whose reply drew on the block."""
        return self.block_hits[label] / self.steps.steps if self.steps.steps else 0.0


async def paging_of(kernel: Kernel, conversation_id: UUID, *, soon_turns: int = SOON_TURNS) -> PagingReport:
    """The conversation's report; UnknownRecord."""
    async with kernel.database.transaction() as session:
        conversation = await conversations.get(session, conversation_id)
        agent = await agents.get(session, conversation.agent_id)
        labels = [block.label for block in await blocks.of_agent(session, agent.id)]
        hits = await paging_report.block_hits(session, conversation_id)
        return PagingReport(
            agent=agent,
            conversation=conversation,
            messages=await messages.count(session, conversation_id),
            soon_turns=soon_turns,
            epochs=epoch_reports(
                conversation,
                await paging.epochs(session, conversation_id),
                await paging_report.steps_by_epoch(session, conversation_id),
                await paging_report.faults_by_epoch(session, conversation_id, within=soon_turns),
            ),
            most_faulted=await paging_report.most_faulted(session, conversation_id, limit=MOST_FAULTED),
            block_hits={label: hits.get(label, 0) for label in [*labels, *(set(hits) - set(labels))]},
            points=await paging_report.newest_steps(session, conversation_id, limit=POINTS),
        )


def epoch_reports(
    conversation: Conversation, epochs: Sequence[Epoch], steps: Sequence[StepSums], faults: Sequence[FaultSums]
) -> list[EpochReport]:
    """One report an epoch, in order: every one that began, and every one that a step belongs to."""
    by_number, done = {each.epoch: each for each in epochs}, {each.epoch: each for each in steps}
    came_back = {each.epoch: each for each in faults}
    numbers = sorted({1, *by_number, *done})
    turns = turns_of(numbers, by_number, conversation.turns)
    return [
        EpochReport(
            number=number,
            began_at=conversation.created_at if number == 1 else by_number[number].created_at if number in by_number else None,
            turns=turns[number],
            epoch=by_number.get(number),
            steps=done.get(number) or StepSums(number, *[0] * 9),
            faults=came_back.get(number) or FaultSums(number, 0, 0, 0, 0, 0.0),
        )
        for number in numbers
    ]


def turns_of(numbers: Sequence[int], epochs: Mapping[int, Epoch], turns: int) -> dict[int, int]:
    """Epoch -> the turns from its beginning to the next one's; of an epoch that was not recorded, none."""
    began = {number: epochs[number].turn if number in epochs else 0 for number in numbers if number == 1 or number in epochs}
    places = [*began.items(), (0, turns)]
    lasted = {number: max(0, after - at) for (number, at), (_, after) in pairwise(places)}
    return {number: lasted.get(number, 0) for number in numbers}


def total_steps(sums: Sequence[StepSums]) -> StepSums:
    """Their sums, under the epoch 0."""
    names = [name for name in StepSums.__dataclass_fields__ if name != "epoch"]
    return StepSums(0, *(sum(getattr(each, name) for each in sums) for name in names))
