"""A server on a real socket that answers as Letta 0.16.8 was seen to: paged lists, entries of one message apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pagemind.testing.openai_server import Request, answers, read_request

from .samples import LAMP, SOURCE, alert, block, tool

Json = dict[str, Any]
AGENT = "agent-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
SECOND = "agent-2c9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
ARCHIVE = "archive-3d9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
TALK = "conv-4e9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
HUMAN = block("block-5f9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "human", "Name: Mara")
OWN = block("block-6a9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "persona", "I keep the lamp.")
LAMP_TOOL = tool("tool-7b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "lamp", "custom", source_code=SOURCE, json_schema=LAMP)
SEARCH = tool("tool-8c9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "conversation_search", "letta_core")
CHARTS: Json = {"id": "source-9d9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "name": "charts", "instructions": "Read them."}
CHART: Json = {
    "id": "file-9e9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    "source_id": CHARTS["id"],
    "file_name": "charts/bay.txt",
    "original_file_name": "bay.txt",
    "content": "The bay is shallow.",
}
MARA: Json = {"id": "identity-9f9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "identifier_key": "mara", "name": "Mara"}


def message_id(number: int) -> str:
    """The id of the main conversation's message of that number."""
    return f"message-{number:08}-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def entry(number: int, kind: str, **own: Any) -> Json:
    """An entry of a list of messages."""
    date = f"2026-04-02T08:{number % 60:02}:00+00:00"
    return {"id": message_id(number), "date": date, "message_type": kind, "otid": None, "name": None, **own}


def main_talk() -> list[Json]:
    """The first agent's main conversation: 150 entries of greetings, then everything else."""
    call = {"name": "lamp", "arguments": '{"level": 3}', "tool_call_id": "c1"}
    returned = {"type": "tool", "tool_call_id": "c1", "status": "success", "tool_return": "set"}
    greetings = [
        entry(number, "user_message" if number % 2 else "assistant_message", content=f"Greeting {number}.")
        for number in range(1, 151)
    ]
    return [
        entry(0, "system_message", content="You keep the lighthouse.\n<memory_metadata></memory_metadata>"),
        *greetings,
        entry(151, "user_message", content=alert("The following is a summary of the previous messages:\n Greetings.")),
        entry(152, "user_message", content="Light the lamp."),
        entry(153, "reasoning_message", reasoning="It is dark."),
        entry(153, "approval_request_message", tool_call=call, tool_calls=[call]),
        entry(154, "approval_response_message", approvals=[{"type": "approval", "tool_call_id": "c1", "approve": True}]),
        entry(155, "tool_return_message", **{**returned, "name": "lamp", "tool_returns": [returned]}),
        entry(156, "assistant_message", content="It burns."),
    ]


def state(agent_id: str, name: str, **more: Any) -> Json:
    """An agent with everything that is attached to it."""
    return {
        "id": agent_id,
        "name": name,
        "system": "You keep the lighthouse.",
        "agent_type": "letta_v1_agent",
        "description": None,
        "metadata": None,
        "llm_config": {"model": "gpt-4o-mini", "handle": "openai/gpt-4o-mini", "context_window": 32_000, "max_tokens": None},
        "embedding_config": None,
        "tool_rules": [{"tool_name": "lamp", "type": "requires_approval", "prompt_template": None}],
        "tags": ["sea"],
        "blocks": [HUMAN],
        "tools": [LAMP_TOOL, SEARCH],
        "sources": [],
        "identities": [],
        "secrets": [],
        "message_ids": [],
        "timezone": "UTC",
        **more,
    }


@dataclass
class FakeLetta:
    """``lists`` by path; ``failing`` are the answers to the next requests (a status, or 0 for a dropped connection)."""

    lists: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    failing: list[int] = field(default_factory=list[int])
    refusing: dict[str, int] = field(default_factory=dict[str, int])
    """Statuses by path."""
    key: str | None = None
    seen: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            request = await read_request(reader)
            self.seen.append(request.path)
            status, body = self.answer(request)
            if status:
                await answers(status, body)(request, write)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and body."""
        if self.failing:
            return self.failing.pop(0), {"detail": "not now"}
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return 401, {"detail": "Unauthorized"}
        parts = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path + (f"?agent_id={query['agent_id']}" if "agent_id" in query else "")
        if path in self.refusing:
            return self.refusing[path], {"detail": "no"}
        if path not in self.lists:
            return (200, []) if path.startswith(("/v1/archives/", "/v1/conversations/")) else (404, {"detail": "Not Found"})
        rows = self.lists[path]
        if "after" in query:
            rows = rows[1 + max(place for place, row in enumerate(rows) if row["id"] == query["after"]) :]
        return 200, whole_page(rows, int(query["limit"]))


def whole_page(rows: list[Json], limit: int) -> list[Json]:
    """The first ``limit`` messages: a page splits none."""
    ids = list(dict.fromkeys(row.get("id") for row in rows))[:limit]
    return [row for row in rows if row.get("id") in ids]


def full() -> FakeLetta:
    """Two agents that share a block; the first has a long talk, a second conversation and an archive."""
    inside = [message_id(number) for number in (0, *range(151, 157))]
    first = state(AGENT, "Keeper", blocks=[OWN, HUMAN], message_ids=inside, secrets=[{"key": "HARBOUR_KEY", "value": "k"}])
    passage: Json = {"archive_id": ARCHIVE, "embedding": [0.0] * 4096, "metadata": {"n": 1}, "tags": ["sea"]}
    passages = [
        {
            **passage,
            "id": f"passage-{n:08}-bbfd-4b2d-9b5d-ab8dfbbd4bed",
            "text": f"Buoy {n}.",
            "created_at": f"2026-03-01T00:00:{n % 60:02}Z",
        }
        for n in range(120)
    ]
    lists: dict[str, list[Json]] = {
        "/v1/agents/": [first, state(SECOND, "Deputy", sources=[CHARTS], identities=[MARA], managed_group={"id": "group-1"})],
        f"/v1/agents/{AGENT}/messages": main_talk(),
        f"/v1/agents/{SECOND}/messages": [],
        f"/v1/agents/{AGENT}/archival-memory": passages,
        f"/v1/agents/{SECOND}/archival-memory": [],
        f"/v1/archives/?agent_id={AGENT}": [{"id": ARCHIVE, "name": "Log", "description": None, "metadata": None}],
        f"/v1/conversations/?agent_id={AGENT}": [{"id": TALK, "summary": "Tides", "in_context_message_ids": []}],
        f"/v1/folders/{CHARTS['id']}/files": [CHART],
        f"/v1/conversations/{TALK}/messages": [
            entry(900, "user_message", content="When is high tide?"),
            entry(901, "assistant_message", content="At six."),
        ],
    }
    return FakeLetta(lists)


@asynccontextmanager
async def listening(fake: FakeLetta) -> AsyncGenerator[FakeLetta]:
    """The fake on a free port."""
    listener = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = listener.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        listener.close()
