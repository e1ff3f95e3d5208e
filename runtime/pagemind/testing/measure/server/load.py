"""The load: agents that are talked to over HTTP, each on a connection of its own, and what that takes."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

from pagemind.testing.measure.server.client import Connection
from pagemind.testing.measure.server.process import Server

MAKERS = 8
"""How many agents are made at a time."""


@dataclass(frozen=True)
class Agent:
    """An agent of the server, and a connection to talk to it on."""

    id: str
    connection: Connection

    async def ask(self, text: str) -> float:
        """The milliseconds of a blocking message."""
        began = perf_counter()
        await self.connection.send("POST", f"/v1/agents/{self.id}/messages", said(text))
        return (perf_counter() - began) * 1000

    async def first_event(self, text: str) -> float:
        """The milliseconds to the first event of a stream."""
        began, came = perf_counter(), list[float]()
        body = {**said(text), "stream_tokens": True}
        await self.connection.send(
            "POST", f"/v1/agents/{self.id}/messages/stream", body, heard=lambda at, piece: came.append(at) if piece else None
        )
        return (came[0] - began) * 1000

    async def gaps(self, tokens: int) -> list[float]:
        """The milliseconds between the pieces of a stream of so many tokens."""
        came = list[float]()
        body = {**said(f"stream {tokens} tokens"), "stream_tokens": True}

        def heard(at: float, piece: bytes) -> None:
            if b"word" in piece:
                came.append(at)

        await self.connection.send("POST", f"/v1/agents/{self.id}/messages/stream", body, heard=heard)
        return [(after - before) * 1000 for before, after in itertools.pairwise(came)]

    async def archive(self, text: str) -> None:
        """Put a passage into the agent's archive."""
        await self.connection.send("POST", f"/v1/agents/{self.id}/archival-memory", {"text": text})


def said(text: str) -> dict[str, object]:
    """A request with one message."""
    return {"messages": [{"role": "user", "content": text}]}


@asynccontextmanager
async def agents(server: Server, count: int) -> AsyncGenerator[Sequence[Agent]]:
    """So many new agents, with two blocks each."""
    numbers = iter(range(count))
    ids: list[str] = []

    async def make() -> None:
        maker = await Connection.open(server.host, server.port)
        for number in numbers:
            body = {
                "name": f"agent-{number}",
                "memory_blocks": [{"label": "persona", "value": "I measure."}, {"label": "human", "value": "Name: Ada."}],
            }
            ids.append(json.loads(await maker.send("POST", "/v1/agents/", body))["id"])
        maker.close()

    await asyncio.gather(*(make() for _ in range(min(MAKERS, count))))
    # The server hangs up on whoever says nothing for long, so these are opened when all are made.
    made = [Agent(each, await Connection.open(server.host, server.port)) for each in ids]
    try:
        yield made
    finally:
        for agent in made:
            agent.connection.close()


async def round_trips(server: Server) -> int:
    """How often the server has waited for its database so far."""
    connection = await Connection.open(server.host, server.port)
    try:
        for line in (await connection.send("GET", "/metrics")).decode().splitlines():
            if line.startswith("pagemind_database_round_trips_total "):
                return int(float(line.split()[1]))
    finally:
        connection.close()
    raise RuntimeError("the server does not tell its round trips")
