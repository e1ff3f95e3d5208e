"""The kernel: everything that a step needs, opened once and shared by all runs of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol
from uuid import UUID

from pagemind.engine.accesses import Accesses
from pagemind.engine.embedders import Serving
from pagemind.engine.hub import Hub
from pagemind.engine.policy import own_key, own_model
from pagemind.engine.prompts import Prose
from pagemind.engine.residents import Residents
from pagemind.engine.second_stage import SecondStage
from pagemind.errors import EmbedderError, UnknownAgent
from pagemind.model.discover import find_reasoner
from pagemind.model.embedder import Embedder, Kind
from pagemind.model.reasoner import Reasoner
from pagemind.records import (
    Agent,
    ArgumentsPiece,
    CallPiece,
    CallRequest,
    Completion,
    Json,
    Piece,
    Prompt,
    PromptMessage,
    ReasoningPiece,
    StoredTool,
    TextPiece,
    ToolSchema,
)
from pagemind.records.text import clean_text
from pagemind.records.view import Resident, View
from pagemind.settings import Settings
from pagemind.store.database import Database
from pagemind.toolbox.registry import Registry, ToolSpec, load_tools
from pagemind.toolbox.stored import Nowhere, Outside, client_specs, stored_spec

# A loaded embedder answers in milliseconds. One that still loads is not waited for to store a text: the indexer brings the
# vector later, and until then words find the passage.
STORE_WAIT_SECONDS = 0.5


class Post(Protocol):
    """Sends a message to another agent."""

    async def __call__(self, agent_id: UUID, text: str, *, key: str, extra: Json, wait_seconds: float | None) -> str:
        """The agent's answer; nothing where ``wait_seconds`` is None. The same ``key`` sends once.

        Raises UnknownAgent, TimeoutError, and what refuses a message or ends a run.
        """
        ...


async def nobody(agent_id: UUID, text: str, *, key: str, extra: Json, wait_seconds: float | None) -> str:
    """Nobody is there."""
    raise UnknownAgent(name=str(agent_id))


@dataclass
class Kernel:
    """What the rooms lend to the engine. ``reasoner`` may be switched while runs go on; each step takes the one of its time."""

    settings: Settings
    database: Database
    reasoner: Reasoner
    serving: Serving
    registry: Registry
    prose: Prose
    second_stage: SecondStage | None = None
    """The reranker, where one is configured."""
    hub: Hub = field(default_factory=Hub)
    residents: Residents = field(default_factory=Residents)
    accesses: Accesses = field(default_factory=Accesses)
    own_reasoners: dict[tuple[str | None, str | None], Reasoner] = field(
        default_factory=dict[tuple[str | None, str | None], Reasoner]
    )
    background: bool = False
    """Whether what it thinks goes behind what somebody waits for."""
    post: Post = field(default_factory=lambda: nobody)
    """How a message gets to another agent."""
    outside: Outside = field(default_factory=Nowhere)
    """Where stored tools run."""
    cache_salt: str = ""
    """Of the tenant, for the model server's prefix cache."""

    @property
    def embedder(self) -> Embedder:
        """The embedder that serves; after any wait it may be another one, but for a kernel that is `still`."""
        return self.serving.embedder

    @property
    def stored_dimensions(self) -> int | None:
        """Of the vectors in the store; None while there are none."""
        return self.serving.dimensions

    async def for_agent(self, agent: Agent) -> Kernel:
        """This kernel, thinking with the agent's own model where its definition names one."""
        own = own_model(agent)
        if own is None:
            return self
        if own not in self.own_reasoners:
            key = own_key(agent, self.settings)
            self.own_reasoners[own] = await find_reasoner(self.settings, agent.model, api_key=key)
        return replace(self, reasoner=self.own_reasoners[own])

    def with_tools(self, folder: Path) -> Kernel:
        """This kernel with the tools of one more folder."""
        return replace(self, registry=load_tools([*self.registry.folders, folder]))

    def refresh_tools(self) -> None:
        """Take up tool files that came, went or changed."""
        self.registry = self.registry.refreshed()

    def behind(self) -> Kernel:
        """This kernel, thinking behind what somebody waits for."""
        return self if self.background else replace(self, background=True)

    async def think(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The reasoner's pieces, without what a store refuses: models do write NUL and halves of characters."""
        prompt = replace(prompt, background=self.background, cache_salt=self.cache_salt)
        async for piece in self.reasoner.stream(prompt):
            yield storable(piece)

    def still(self) -> Kernel:
        """This kernel with the embedder that serves now, whichever serves later: for what belongs together."""
        return replace(self, serving=replace(self.serving))

    async def vector(self, text: str, kind: Kind) -> list[float] | None:
        """The text's vector; None if the embedder cannot give it soon, or gives none that the stored ones compare with."""
        embedder, dimensions = self.embedder, self.stored_dimensions
        try:
            async with asyncio.timeout(self.settings.embed_seconds if kind == "query" else STORE_WAIT_SECONDS):
                [vector] = await embedder.embed([text], kind=kind)
        except (EmbedderError, TimeoutError):
            return None
        return vector if dimensions in (None, len(vector)) else None

    async def count(self, text: str) -> int:
        """Tokens of ``text`` by the reasoner's own tokenizer."""
        return await self.reasoner.tokens.count(text) if text else 0

    async def count_frame(self, system: str, tools: Sequence[ToolSchema]) -> int:
        """Tokens of a prompt that holds the system text and the tools alone, as the chat template prints it."""
        return await self.reasoner.tokens.frame(PromptMessage("system", system), tools)

    async def count_added(self, *messages: PromptMessage) -> int:
        """Tokens that the messages add, as the chat template prints them, to a prompt that they are appended to."""
        return await self.reasoner.tokens.added(messages)

    def tools_of(self, view: Resident) -> dict[str, ToolSpec]:
        """The tools that the agent may call, by name, always in the same order: those of its definition, those of the home
        folder, which are every agent's, and those that the run's caller brings; the last of a name stands in its place."""
        tools: dict[str, ToolSpec] = {}
        stored = {tool.name: tool for tool in view.stored_tools}
        for name in view.agent.tools:
            if name in self.registry:
                tools[name] = self.registry[name]
            elif name in stored:
                tools[name] = self._stored(stored[name], view.agent)
        for name in self.registry.of_folder(self.home_tools):
            tools.setdefault(name, self.registry[name])
        if isinstance(view, View) and view.run.request:
            tools |= {spec.name: spec for spec in client_specs(tuple(view.run.request.get("client_tools", ())))}
        return tools

    @cached_property
    def home_tools(self) -> Path:
        """The folder of the tools that every agent has."""
        return (self.settings.home / "tools").resolve()

    def _stored(self, tool: StoredTool, agent: Agent) -> ToolSpec:
        """A stored tool, with the agent's secrets."""
        settings = self.settings
        return stored_spec(
            tool,
            self.outside,
            secrets={name: str(value) for name, value in agent.secrets.items()},
            timeout_seconds=settings.tool_seconds,
            allow_source=settings.allow_tool_source,
        )


def storable(piece: Piece) -> Piece:
    """The piece with its texts cleaned."""
    match piece:
        case TextPiece(text):
            return TextPiece(clean_text(text))
        case ReasoningPiece(text):
            return ReasoningPiece(clean_text(text))
        case CallPiece(name, index, call_id):
            return CallPiece(clean_text(name), index, clean_text(call_id))
        case ArgumentsPiece(text, index):
            return ArgumentsPiece(clean_text(text), index)
        case Completion(text, calls, reasoning):
            cleaned = tuple(
                CallRequest(clean_text(each.id), clean_text(each.name), clean_text(each.arguments)) for each in calls
            )
            return replace(piece, text=clean_text(text), reasoning=clean_text(reasoning), calls=cleaned)
