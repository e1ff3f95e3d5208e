"""The trial: feed the sessions to an agent through the real path, then ask, and see what its own searches bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from uuid import UUID

from pagemind.definitions.loader import Source
from pagemind.definitions.schema import AgentDefinition, BlockSpec, MemorySpec, ModelSpec
from pagemind.engine.apply import apply
from pagemind.engine.runtime import Runtime
from pagemind.events import ToolReturned
from pagemind.records import Conversation, Owner, Role
from pagemind.store import messages, passages, steps
from pagemind.testing.locomo.figures import AT, Answered, Found, Report, StepTime
from pagemind.testing.locomo.talk import Question, Talk
from pagemind.testing.locomo.watch import Watch

WINDOW_TOKENS = 8192
PAGE = 500
SEARCHES = ("conversation_search", "archival_memory_search")
INSTRUCTIONS = """
You follow a conversation between two people. Its turns come to you one at a time, as `[when] Name: what they said`. They are
not addressed to you: answer each with one word, and put lasting facts into your memory where that helps.

When you are asked about the conversation, search it (`conversation_search`) and the archive (`archival_memory_search`) before
you answer. Answer in one sentence, with the date where the question is about time. Never guess.
"""

Told = Callable[["Progress"], None]


@dataclass(frozen=True)
class Progress:
    """How far a trial is. ``session`` is None once questions are asked; ``answered`` is the one that was answered last."""

    turns: int
    of_turns: int
    context_tokens: int
    window_tokens: int
    epoch: int
    session: int | None = None
    session_done: bool = False
    answered: Answered | None = None


def definition(window_tokens: int) -> AgentDefinition:
    """The agent that listens: a window of that size, paged as by default."""
    return AgentDefinition(
        version=1,
        kind="agent",
        name="listener",
        description="Follows a long conversation of two people and answers questions about it.",
        model=ModelSpec(window_tokens=window_tokens, max_reply_tokens=512),
        instructions=INSTRUCTIONS.strip(),
        blocks={"human": BlockSpec(owner=Owner.agent, description="The two people, one fact a line.", limit=3000)},
        memory=MemorySpec(),
    )


class Trial:
    """One conversation, fed and asked about, in an open runtime that works."""

    def __init__(self, runtime: Runtime, talk: Talk, *, window_tokens: int = WINDOW_TOKENS, told: Told | None = None) -> None:
        self._runtime = runtime
        self._talk = talk
        self._window_tokens = min(window_tokens, runtime.reasoner.window_tokens)
        self._told = told
        self._watch = Watch(runtime)
        self._turns = 0
        self._of_turns = sum(len(session.turns) for session in talk.sessions)
        self._turn_of_run: dict[UUID, str] = {}

    async def run(self, questions: Sequence[Question]) -> Report:
        """Feed all sessions, then ask the questions. Raises RunFailed, BadTalk and what a runtime raises."""
        began = perf_counter()
        source = Source(Path("listener.yaml"), definition(self._window_tokens))
        await apply(self._runtime.kernel.database, [source])
        conversation = await self._runtime.conversation(await self._runtime.agent("listener"))
        await self._feed(conversation)
        await self._runtime.indexed()
        fed_steps, turn_of_seq = len(self._watch.context_tokens), await self._places(conversation)
        bare = [await self._bare(conversation, question, turn_of_seq) for question in questions]
        answered = [
            await self._ask(conversation, question, hits, turn_of_seq) for question, hits in zip(questions, bare, strict=True)
        ]
        total = (await self._runtime.context(conversation.id)).messages_total
        return Report(
            reasoner=self._runtime.reasoner.name,
            sessions=len(self._talk.sessions),
            turns=self._turns,
            answered=answered,
            context_tokens=self._watch.context_tokens,
            fed_steps=fed_steps,
            window_tokens=self._window_tokens,
            compactions=self._watch.compactions,
            steps=await self._step_times(),
            cut_short=self._watch.cut_short,
            messages=total,
            seconds=perf_counter() - began,
        )

    async def _feed(self, conversation: Conversation) -> None:
        for session in self._talk.sessions:
            for turn in session.turns:
                said = await self._watch.say(conversation.id, turn.dated(session.when))
                self._turn_of_run[said.run_id] = turn.dia_id
                self._turns += 1
                self._tell(session=session.number)
            self._tell(session=session.number, done=True)

    async def _places(self, conversation: Conversation) -> dict[int, str]:
        """The turn that each message of the conversation holds, by its ``seq``."""
        places: dict[int, str] = {}
        last = 0
        async with self._runtime.kernel.database.transaction() as session:
            while page := await messages.history(session, conversation.id, after_seq=last, limit=PAGE):
                last = page[-1].seq or last
                said = [(each.seq, each.run_id) for each in page if each.role == Role.user and each.seq and each.run_id]
                places |= {seq: self._turn_of_run[run] for seq, run in said if run in self._turn_of_run}
        return places

    async def _bare(self, conversation: Conversation, question: Question, turn_of_seq: dict[int, str]) -> list[str | None]:
        """The turns that a search with nothing but the question finds, the best first; None for what is no turn."""
        hits = await self._runtime.memory.search_conversation(conversation.id, question.question, limit=max(AT))
        return [turn_of_seq.get(hit.seq) for hit in hits]

    async def _ask(
        self, conversation: Conversation, question: Question, bare: list[str | None], turn_of_seq: dict[int, str]
    ) -> Answered:
        said = await self._watch.say(conversation.id, question.question)
        searched = [each for each in said.returns if each.name in SEARCHES]
        found = await self._found(conversation, searched, turn_of_seq)
        answered = Answered(question, [each.name for each in searched], found, bare, said.answer)
        self._tell(answered=answered)
        return answered

    async def _found(
        self, conversation: Conversation, searched: Sequence[ToolReturned], turn_of_seq: dict[int, str]
    ) -> list[Found]:
        """What the searches of a run brought back, each thing once; a passage stands for the turns that it was made from."""
        items = {item["id"]: item for each in searched for item in each.recalled}
        evidence = await self._evidence(conversation) if any(item["kind"] == "passage" for item in items.values()) else {}
        found: list[Found] = []
        for name, item in items.items():
            if item["kind"] == "message":
                turn = turn_of_seq.get(int(name.removeprefix("#")))
                found.append(Found(name, item["text"], (turn,) if turn else ()))
            else:
                found.append(Found("archive", item["text"], evidence.get(name, ())))
        return found

    async def _evidence(self, conversation: Conversation) -> dict[str, tuple[str, ...]]:
        """The turns that each passage of the archive was made from, by its id."""
        async with self._runtime.kernel.database.transaction() as session:
            kept = await passages.recent(session, conversation.agent_id, limit=10_000)
        turns = ((passage.id, self._turn_of_run.get(passage.run_id)) for passage in kept if passage.run_id)
        return {str(passage_id): (turn,) for passage_id, turn in turns if turn}

    async def _step_times(self) -> list[StepTime]:
        """The time of every step: its stages as stored; the rest is persisting, and in a run's first step taking it up."""
        times: list[StepTime] = []
        async with self._runtime.kernel.database.transaction() as session:
            for run_id in self._watch.runs:
                for step in await steps.of_run(session, run_id):
                    whole = self._watch.step_ms.get((run_id, step.index))
                    if whole is not None:
                        stages = {name: float(value) for name, value in step.timings.items() if name != "first_token"}
                        stages.setdefault("persist", max(0.0, whole - sum(stages.values())))
                        times.append(StepTime(whole, stages))
        return times

    def _tell(self, *, session: int | None = None, done: bool = False, answered: Answered | None = None) -> None:
        if self._told is None:
            return
        watch = self._watch
        progress = Progress(
            turns=self._turns,
            of_turns=self._of_turns,
            context_tokens=watch.context_tokens[-1] if watch.context_tokens else 0,
            window_tokens=self._window_tokens,
            epoch=len(watch.compactions) + 1,
            session=session,
            session_done=done,
            answered=answered,
        )
        self._told(progress)
