"""The runtime: what a front (the terminal, an API, a test) does with agents. It opens the rooms and closes them again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self
from uuid import UUID

from pagemind.engine import accept as acceptance
from pagemind.engine import follow as following
from pagemind.engine.accesses import Accesses
from pagemind.engine.compact import compact, compacted, planned
from pagemind.engine.context import ContextReport, look
from pagemind.engine.early import EarlyPaging
from pagemind.engine.embedders import Embedders
from pagemind.engine.hub import Hub
from pagemind.engine.indexer import Indexer
from pagemind.engine.intake import Intake
from pagemind.engine.kernel import Kernel
from pagemind.engine.memory import Memory
from pagemind.engine.outside import OutsideTools
from pagemind.engine.paging import SOON_TURNS, PagingReport, paging_of
from pagemind.engine.policy import Limits, policy_of
from pagemind.engine.post import spoken
from pagemind.engine.prompts import Prose
from pagemind.engine.queue import Queue
from pagemind.engine.salt import cache_salt
from pagemind.engine.second_stage import SecondStage
from pagemind.engine.serving import serving_of
from pagemind.engine.surveyor import Surveyor
from pagemind.engine.window import open_window
from pagemind.engine.worker import Worker
from pagemind.errors import RunFailed
from pagemind.events import Compacted, Event, Replied, RunEnded, ToolReturned, from_json
from pagemind.model.discover import find_reasoner
from pagemind.model.embedder import Embedder
from pagemind.model.local.joining import Joined, join_local
from pagemind.model.local.state import Tell
from pagemind.model.reasoner import Reasoner
from pagemind.model.reranker import Reranker, make_reranker
from pagemind.records import Agent, Cause, Conversation, Input, Json, Message, Request, Run, RunState
from pagemind.settings import Settings
from pagemind.store import agents, conversations, messages, run_events, runs
from pagemind.store.database import Database
from pagemind.toolbox.registry import load_tools
from pagemind.toolbox.stored import Nowhere

log = logging.getLogger(__name__)

MAIN_CONVERSATIONS = 10_000
"""How many agents' main conversations are remembered."""


class Runtime:
    """An open runtime. With ``work`` it carries runs itself; without, it only looks at the store and accepts."""

    def __init__(
        self, kernel: Kernel, embedders: Embedders, *, work: bool, local: Joined | None = None, host: Runtime | None = None
    ) -> None:
        self.kernel = kernel
        self._embedders = embedders
        self._local = local
        self._host = host
        self.outside = OutsideTools(kernel.settings, kernel.database)
        if isinstance(kernel.outside, Nowhere | OutsideTools):
            kernel.outside = self.outside
        kernel.post = self.post
        self.memory = Memory(kernel)
        early = EarlyPaging(kernel)
        self.worker = Worker(kernel, early=early, liveness=host.worker.liveness if host else None)
        self._indexer = Indexer(kernel, embedders)
        self._main: dict[UUID, UUID] = {}
        self._queue = Queue(kernel.database, kernel.settings.queue_limit)
        self._intake = Intake(kernel, self._indexer.wake)
        surveyor = Surveyor(kernel.database)
        self._tasks = (
            [asyncio.create_task(part.serve()) for part in (self.worker, self._indexer, self._intake, early, surveyor)]
            + [asyncio.create_task(kernel.accesses.serve(kernel.database))]
            if work
            else []
        )

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        reasoner: Reasoner | None = None,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        work: bool = True,
        tell: Tell = log.info,
    ) -> Runtime:
        """Open the store, find the reasoner, load the tools; embedder and reranker load behind. Raises PagemindError.

        A configured local model server is launched first, unless it runs; ``tell`` hears how far it is, until this returns.
        """
        database = await Database.open(settings)
        local: Joined | None = None
        try:
            if work and reasoner is None:
                local = await join_local(settings, tell)
            reranker = reranker or make_reranker(settings)
            embedders = Embedders(settings, embedder)
            serving, contradicted = await serving_of(database, settings, embedders, embedder)
            kernel = Kernel(
                settings=settings,
                database=database,
                reasoner=reasoner or await find_reasoner(settings),
                serving=serving,
                second_stage=SecondStage(reranker) if reranker else None,
                registry=load_tools([settings.content_folder / "tools", settings.home / "tools"]),
                prose=Prose([settings.home / "prompts", settings.content_folder / "prompts"]),
                cache_salt=cache_salt(settings),
            )
        except BaseException:
            if local:
                await local.close()
            await database.close()
            raise
        if local:
            local.tell_later(log.warning)
        if work and contradicted:
            tell(str(contradicted))
        if work:
            kernel.embedder.warm()
        if work and reranker:
            reranker.warm()
        return cls(kernel, embedders, work=work, local=local)

    async def for_tenant(self, tenant_id: UUID) -> Runtime:
        """A runtime of another tenant on the same store and reasoner, to be closed before this one; its embedder is that of its
        own vectors.

        The tenant's row must be there. Raises EmbedderError, StoreUnavailable.
        """
        settings = self.settings.model_copy(update={"tenant_id": tenant_id})
        database = self.kernel.database.for_tenant(tenant_id)
        serving, _ = await serving_of(database, settings, self._embedders)
        kernel = replace(
            self.kernel,
            settings=settings,
            database=database,
            serving=serving,
            hub=Hub(),
            accesses=Accesses(),
            own_reasoners={},
            cache_salt=cache_salt(settings),
        )
        return Runtime(kernel, self._embedders, work=bool(self._tasks), host=self)

    async def close(self) -> None:
        """Stop working and let go of everything. Runs that go on are taken up by the next worker."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.kernel.accesses.flush(self.kernel.database)
        await self.outside.close()
        for reasoner in self.kernel.own_reasoners.values():
            await reasoner.close()
        self._embedders.let_go(self.kernel.embedder)
        if self._host:
            return
        await self._embedders.close()
        if self.kernel.second_stage:
            await self.kernel.second_stage.reranker.close()
        await self.kernel.reasoner.close()
        if self._local:
            await self._local.close()
        await self.kernel.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def settings(self) -> Settings:
        """The configuration it was opened with."""
        return self.kernel.settings

    @property
    def reasoner(self) -> Reasoner:
        """The reasoner of the next step."""
        return self.kernel.reasoner

    async def use_reasoner(self, reasoner: Reasoner) -> None:
        """Think with another reasoner from the next step on."""
        before, self.kernel.reasoner = self.kernel.reasoner, reasoner
        await before.close()

    # --- agents and conversations -------------------------------------------------------------------------------------

    async def agents(self) -> list[Agent]:
        """All agents, by name."""
        async with self.kernel.database.transaction() as session:
            return await agents.all(session)

    async def agent(self, name: str) -> Agent:
        """The agent of that name or id; UnknownAgent."""
        async with self.kernel.database.transaction() as session:
            return await agents.get(session, name)

    async def conversations(self, agent: Agent) -> list[Conversation]:
        """The agent's conversations, the one used last first."""
        async with self.kernel.database.transaction() as session:
            return await conversations.of_agent(session, agent.id)

    async def conversation(self, agent: Agent, conversation_id: UUID | None = None) -> Conversation:
        """That conversation, or the agent's latest, or a new one if it has none."""
        async with self.kernel.database.transaction() as session:
            if conversation_id is not None:
                return await conversations.get(session, conversation_id)
            latest = await conversations.of_agent(session, agent.id, limit=1)
        return latest[0] if latest else await self.new_conversation(agent)

    async def main_conversation(self, agent_id: UUID) -> UUID:
        """The conversation that the agent is talked to in where none is named; UnknownAgent.

        An agent that was talked to here before is not asked for: `accept` finds out if it is gone.
        """
        known = self._main.get(agent_id)
        if known is None:
            async with self.kernel.database.transaction() as session:
                known = (await conversations.main_of(session, await agents.get(session, agent_id))).id
            if len(self._main) >= MAIN_CONVERSATIONS:
                self._main.clear()
            self._main[agent_id] = known
        return known

    async def new_conversation(self, agent: Agent, title: str = "") -> Conversation:
        """A new conversation; the agent's blocks and archive are the same in all of them."""
        async with self.kernel.database.transaction() as session:
            new = Conversation(tenant_id=agent.tenant_id, agent_id=agent.id, title=title)
            return await conversations.add(session, new)

    async def history(self, conversation_id: UUID, limit: int = 50) -> list[Message]:
        """The newest messages, in order."""
        async with self.kernel.database.transaction() as session:
            newest = await messages.history(session, conversation_id, limit=limit, newest_first=True)
        return newest[::-1]

    # --- runs ---------------------------------------------------------------------------------------------------------

    async def accept(
        self,
        conversation_id: UUID,
        said: str | Sequence[Input],
        *,
        request: Request = acceptance.NOTHING_ELSE,
        idempotency_key: str | None = None,
        limits: Limits | None = None,
        background: bool = False,
        extra: Json | None = None,
        rejoin_seconds: float = 0.0,
    ) -> Run:
        """Take a text, or several inputs, in; when this returns they are kept, and a worker will carry them (contract D1).

        A run in the ``background`` goes behind those that somebody waits for, here and on the model server. ``extra`` is kept
        with the run for the front. With ``rejoin_seconds`` a client says that it tries again: the conversation's newest run is
        joined if it brought the same and is not older. Raises QueueFull for a background run when too many wait already.
        """
        if background:
            await self._queue.take_place()
        settings, window = self.settings, self.kernel.reasoner.window_tokens
        asked = acceptance.Asked(
            conversation_id=conversation_id,
            inputs=[Input(said)] if isinstance(said, str) else said,
            request=request,
            limits=limits,
            idempotency_key=idempotency_key,
            background=background,
            extra=extra,
            rejoin_seconds=rejoin_seconds,
        )
        limit_chars = min(settings.message_limit_chars, window * acceptance.CHARS_PER_TOKEN)
        return await acceptance.accept(self.kernel, self.worker, asked, limit_chars=limit_chars)

    async def follow(self, run_id: UUID, after_seq: int = 0) -> AsyncIterator[Event]:
        """The run's events, stored and then live; ends after RunEnded."""
        async for _, event in self.events(run_id, after_seq):
            yield event

    async def events(self, run_id: UUID, after_seq: int = 0) -> AsyncIterator[tuple[int | None, Event]]:
        """The same, each with its ``seq`` in the store; None for one that is only ever live."""
        async for seq, event in following.follow(self.kernel, run_id, after_seq):
            if isinstance(event, RunEnded):
                self._indexer.run_ended()
            yield seq, event

    async def listen(self, conversation_id: UUID) -> AsyncIterator[Event]:
        """What happens to the conversation between its runs, from now on: Compacted. Never ends by itself."""
        with self.kernel.hub.listen(conversation_id) as queue:
            while True:
                _, event = await queue.get()
                yield event

    async def ask(self, conversation_id: UUID, text: str) -> str:
        """Send an input and wait for the answer; RunFailed if the run did not end well."""
        run = await self.accept(conversation_id, text)
        answer = ""
        async for event in self.follow(run.id):
            match event:
                case Replied(text=said):
                    answer = said or answer
                case RunEnded(state=RunState.failed | RunState.cancelled, stop_reason=reason, error=error):
                    raise RunFailed(str(error or ""), reason=reason)
                case _:
                    pass
        return answer

    async def post(self, agent_id: UUID, text: str, *, key: str, extra: Json, wait_seconds: float | None) -> str:
        """Send a text to an agent's main conversation; what it answers, or nothing where ``wait_seconds`` is None.

        Raises UnknownAgent, TimeoutError, RunFailed.
        """
        conversation_id = await self.main_conversation(agent_id)
        waits = wait_seconds is not None
        run = await self.accept(conversation_id, text, idempotency_key=key, background=not waits, extra=extra)
        if not waits:
            return ""
        async with asyncio.timeout(wait_seconds):
            return await spoken(self.follow(run.id))

    async def run(self, run_id: UUID) -> Run:
        """The run as it stands in the store; UnknownRecord."""
        async with self.kernel.database.transaction() as session:
            return await runs.get(session, run_id)

    async def runs(self, conversation_id: UUID | None = None, *, agent_id: UUID | None = None, limit: int = 20) -> list[Run]:
        """The newest runs first, of one conversation or one agent if given."""
        async with self.kernel.database.transaction() as session:
            return await runs.recent(session, conversation_id=conversation_id, agent_id=agent_id, limit=limit)

    async def unfinished(self, conversation_id: UUID) -> list[Run]:
        """The conversation's runs that are not at their end, in the order of acceptance."""
        newest = await self.runs(conversation_id)
        return [run for run in reversed(newest) if run.state in (RunState.queued, RunState.running)]

    async def cancel(self, run_id: UUID) -> None:
        """Ask for the run to be cancelled, wherever it is being carried."""
        async with self.kernel.database.transaction() as session:
            await runs.request_cancel(session, run_id)
        self.worker.cancel(run_id)
        self.worker.wake()

    async def last_searches(self, conversation_id: UUID) -> list[ToolReturned]:
        """The searches of the newest run of the conversation, each with what it found and why."""
        async with self.kernel.database.transaction() as session:
            newest = await runs.recent(session, conversation_id=conversation_id, limit=1)
            rows = [row for run in newest for row in await run_events.after(session, run.id, 0)]
        told = (from_json(row.data) for row in rows if row.data["type"] == "tool_returned")
        return [event for event in told if isinstance(event, ToolReturned) and (event.notes or event.recalled)]

    # --- the window ---------------------------------------------------------------------------------------------------

    async def context(self, conversation_id: UUID) -> ContextReport:
        """What stands in the window now, and what is out."""
        return (await look(self.kernel, conversation_id))[1]

    async def paging(self, conversation_id: UUID, *, soon_turns: int = SOON_TURNS) -> PagingReport:
        """What each epoch of the conversation was, and what was needed again within ``soon_turns``; UnknownRecord."""
        return await paging_of(self.kernel, conversation_id, soon_turns=soon_turns)

    async def compact(self, conversation_id: UUID) -> Compacted | None:
        """Page out what may go, now; None if that is less than a summary of it. ConversationBusy while a run goes on."""
        resident, _ = await look(self.kernel, conversation_id)
        kernel = await self.kernel.for_agent(resident.agent)
        policy = policy_of(resident.agent, kernel.reasoner)
        window = await open_window(kernel, resident, policy)
        plan = planned(resident, window, policy, 0)
        if plan is None:
            return None
        return compacted(await compact(kernel, resident, policy, window, plan, Cause.asked))

    def take_in_soon(self) -> None:
        """A file was uploaded."""
        self._intake.wake()

    def index_soon(self) -> None:
        """Texts were stored that want their vectors."""
        self._indexer.wake()

    async def indexed(self) -> None:
        """Return when every message and passage has its vector. Raises EmbedderError."""
        while await self._indexer.index_some():
            pass
