"""The trial: each case in a conversation of its own under either policy, through the whole runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from pagemind.engine.policy import Limits
from pagemind.engine.runtime import Runtime
from pagemind.errors import ReasonerUnreachable, RunFailed
from pagemind.events import Replied, RunEnded
from pagemind.model.discover import find_reasoner
from pagemind.model.reasoner import Reasoner
from pagemind.records import Agent, CallRequest, Conversation, Replace, RunState, StopReason
from pagemind.settings import Settings
from pagemind.store import conversations
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.measure.staleness.cases import Case, Kind
from pagemind.testing.measure.staleness.figures import Answered, Report
from pagemind.testing.measure.staleness.half_scripted import HalfScripted
from pagemind.testing.runtime import make_agent
from pagemind.testing.scripted import call
from pagemind.testing.vectors import HashEmbedder

POLICIES = ("write_back", "write_through")
INSTRUCTIONS = "You are the assistant of one person. Answer questions about them from what you know, in very few words."
LIMITS = Limits(max_steps=6, max_seconds=300.0, max_tokens=1_000_000)
OTHER_FACTS = ("Has a dog called Biscuit.", "Is 41 years old.", "Likes long walks by the river.", "Reads one book a month.")
HELLO, WELCOME = "Hello, it is me again.", "Good to see you again."
SMALL_TALK = (
    ("What is seven times eight?", "56."),
    ("Name a word that rhymes with light.", "Night."),
    ("How many minutes has a day?", "1,440."),
    ("Which planet is the largest?", "Jupiter."),
    ("Give me a synonym of quick.", "Fast."),
)
EDITED = "It is noted."

Told = Callable[[int, int, str], None]
"""Hears how many questions were asked, of how many, and under which policy."""


async def asked_all(settings: Settings, cases: Sequence[Case], *, filler: int, told: Told) -> Report:
    """Ask every case under either policy, on a fresh tenant each. Raises ReasonerUnreachable before anything else."""
    real = await find_reasoner(settings)
    try:
        if not await real.settle(""):
            raise ReasonerUnreachable(url=real.url)
        done: dict[str, list[Answered]] = {}
        for policy in POLICIES:
            done[policy] = await asked_under(settings, real, policy, cases, filler, told)
    finally:
        await real.close()
    return Report(real.name, filler, done["write_back"], done["write_through"])


async def asked_under(
    settings: Settings, real: Reasoner, policy: str, cases: Sequence[Case], filler: int, told: Told
) -> list[Answered]:
    """Ask every case under one policy."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    reasoner = HalfScripted(real)
    answered: list[Answered] = []
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        for number, case in enumerate(cases):
            answered.append(await Asking(runtime, reasoner, policy, case, number).answered(filler))
            told(number + 1, len(cases), policy)
    return answered


class Asking:
    """One case in one conversation."""

    def __init__(self, runtime: Runtime, reasoner: HalfScripted, policy: str, case: Case, number: int) -> None:
        self._runtime = runtime
        self._reasoner = reasoner
        self._policy = policy
        self._case = case
        self._name = f"case-{number}"

    async def answered(self, filler: int) -> Answered:
        """Have the blocks rendered, change the fact, talk of other things, ask."""
        agent = await self._agent()
        conversation = await self._runtime.new_conversation(agent)
        await self._scripted(conversation, HELLO, WELCOME)
        epoch = await self._epoch(conversation)
        for old, new in zip(self._case.lines, self._case.lines[1:], strict=False):
            await self._change(agent, conversation, old, new)
        for number in range(filler):
            await self._scripted(conversation, *SMALL_TALK[number % len(SMALL_TALK)])
        answer = await said(self._runtime, conversation, f"{self._case.question} Answer with that alone.")
        renewed = self._policy == "write_back" and await self._epoch(conversation) != epoch
        return Answered(self._case, self._policy, answer, self._case.verdict(answer), renewed)

    async def _agent(self) -> Agent:
        human = "\n".join((*OTHER_FACTS[:2], self._case.lines[0], *OTHER_FACTS[2:]))
        seeds = {"persona": "I am brief and exact.", "human": human}
        memory = {"write_policy": self._policy}
        return await make_agent(self._runtime, self._name, seeds, memory, instructions=INSTRUCTIONS, model={"temperature": 0.0})

    async def _change(self, agent: Agent, conversation: Conversation, old: str, new: str) -> None:
        """Change the fact in the way of its kind. The input does not name the new value: it stands in the edit alone."""
        if self._case.kind == Kind.elsewhere:
            await self._runtime.memory.edit(agent, "human", Replace(old, new), author="person:office")
            return
        edit = call("core_memory_replace", label="human", old_content=old, new_content=new)
        if self._case.kind == Kind.appended:
            edit = call("core_memory_append", label="human", content=new)
        await self._scripted(conversation, f"There is news about {self._case.topic}: take it into your memory.", edit, EDITED)

    async def _scripted(self, conversation: Conversation, text: str, *lines: str | CallRequest) -> None:
        self._reasoner.will(text, *lines)
        await said(self._runtime, conversation, text)

    async def _epoch(self, conversation: Conversation) -> int:
        async with self._runtime.kernel.database.transaction() as session:
            return (await conversations.get(session, conversation.id)).epoch


async def said(runtime: Runtime, conversation: Conversation, text: str) -> str:
    """Send an input; the last words of its run, whatever limit it met. RunFailed where it met an error."""
    run = await runtime.accept(conversation.id, text, limits=LIMITS)
    answer = ""
    async for event in runtime.follow(run.id):
        match event:
            case Replied(text=words):
                answer = words or answer
            case RunEnded(state=RunState.failed, stop_reason=StopReason.error, error=error):
                raise RunFailed(str(error or ""), reason=StopReason.error)
            case _:
                pass
    return answer


def measure(settings: Settings, cases: Sequence[Case], *, filler: int, told: Told) -> Report:
    """Ask them on a database that is gone afterwards. ``settings`` name the server."""
    with TemporaryDirectory(prefix="pagemind-bench-") as name:
        server = EmbeddedPostgres(Path(name) / "server")
        server.join()
        try:
            own = settings.model_copy(update={"home": server.home.folder, "embedder": "hash-8", "database_url": None})
            return asyncio.run(asked_all(own, cases, filler=filler, told=told))
        finally:
            server.leave()
