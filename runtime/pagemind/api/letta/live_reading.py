"""What a Letta server answers about its agents, as our bundle: it is put into the form of an agent file and read as one.

Everything keeps its id, so that what is imported twice is there once, and clients that know an agent by its id find it here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from pagemind.api.letta.agent_file import Reading, Wishes, ids_of, problems_of
from pagemind.api.letta.agent_file_drawers import drawer_of
from pagemind.api.letta.agent_file_messages import history_of
from pagemind.api.letta.agent_file_schema import AgentFile, FileAgent, FileDocument, FileSource
from pagemind.api.letta.live import LettaServer
from pagemind.api.values import Moment, storable
from pagemind.engine.agent_files import Bundle, Drawer, LeftOut, Shelf, Talk
from pagemind.errors import BadAgentFile
from pagemind.records import Archive, Conversation, Identity, Json, Origin, Passage, now
from pagemind.records.text import clean_text

INCLUDE = [
    f"agent.{part}" for part in ("blocks", "identities", "managed_group", "secrets", "sources", "tags", "tools")
]  # fmt: skip
ID = re.compile(r"[a-z_]+-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
DERIVED = ids_of("letta")
MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
NOT_KEPT = frozenset({"conversation", "archive"})
"""Kinds of places for which the id at their end is that of something else."""


def kept_id(place: str) -> UUID:
    """The id that the server has for what stands there; for what has none there, one that the place always gives."""
    kind, *_, last = place.split("/")
    found = ID.fullmatch(last)
    return UUID(found[1]) if found and kind not in NOT_KEPT else DERIVED(place)


async def agents_of(server: LettaServer, only: Sequence[str] = ()) -> AsyncIterator[Json]:
    """The server's agents with all that is attached to them, the oldest first; those named, or all."""
    async for agent in server.every("/v1/agents/", order="asc", include=INCLUDE):
        if not only or agent["name"] in only or agent["id"] in only:
            yield agent


async def bundle_of_agent(server: LettaServer, state: Json, tenant_id: UUID) -> Bundle:
    """The agent with everything that the server tells of it. Raises BadAgentFile, LettaRefused, LettaUnreachable."""
    try:
        return await read_agent(server, state, tenant_id)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # Answers of another server, or of another version: one agent that cannot be read is told of, the others come.
        raise BadAgentFile(f"agent {state['id']}: {type(error).__name__} {str(error)[:200]}") from error


async def read_agent(server: LettaServer, state: Json, tenant_id: UUID) -> Bundle:
    """The same, where the answers are as they should be."""
    passages = await server.if_there(f"/v1/agents/{state['id']}/archival-memory", ascending=True)
    shelves = [
        shelf_of(archive, passages, tenant_id)
        for archive in await server.if_there("/v1/archives/", agent_id=state["id"], order="asc")
    ]
    file = as_file(state, await spoken(server, state["id"]))
    reading = Reading(file, tenant_id, kept_id, Wishes(), "letta")
    [given] = file.agents
    member = reading.member(given)
    talks = [await talk_of(server, one, given, tenant_id) for one in await conversations_of(server, given.id)]
    drawers = [await drawer(server, each, tenant_id) for each in objects(state, "sources")]
    people = [identity_of(each, tenant_id) for each in objects(state, "identities")]
    whole = replace(
        member,
        archive_ids=[each.archive.id for each in shelves],
        folder_ids=[each.folder.id for each in drawers],
        identity_ids=[each.id for each in people],
        talks=[*member.talks, *talks],
    )
    return Bundle(
        members=[whole],
        blocks=[reading.block(block) for block in file.blocks],
        tools=[tool for tool in map(reading.tool, file.tools) if tool is not None],
        shelves=shelves,
        drawers=drawers,
        identities=people,
        left_out=[*reading.left_out, *beside(state)],
    )


async def spoken(server: LettaServer, agent_id: str) -> list[Json]:
    """What was said in the agent's main conversation, in order."""
    query = {"order": "asc", "use_assistant_message": False, "conversation_id": "default"}
    return await server.if_there(f"/v1/agents/{agent_id}/messages", **query)


async def conversations_of(server: LettaServer, agent_id: str) -> list[Json]:
    """The agent's other conversations."""
    return await server.if_there("/v1/conversations/", agent_id=agent_id, order="asc")


async def talk_of(server: LettaServer, one: Json, agent: FileAgent, tenant_id: UUID) -> Talk:
    """One of the agent's other conversations."""
    said = await server.if_there(f"/v1/conversations/{one['id']}/messages", order="asc")
    messages = file_messages(said)
    there = {message["id"] for message in messages}
    inside = [each for each in one.get("in_context_message_ids") or () if each in there]
    own = as_model(agent.model_dump() | {"messages": messages, "in_context_message_ids": inside})
    conversation = Conversation(
        tenant_id=tenant_id,
        # The place of an agent's main conversation is derived; the others have ids.
        id=kept_id(f"talk/{one['id']}"),
        agent_id=kept_id(f"agent/{agent.id}"),
        title=clean_text(str(one.get("summary") or "")),
        extra={"origin": f"letta/{one['id']}"},
    )
    history = history_of(own, conversation, kept_id)
    conversation.summary = history.summary
    return Talk(conversation, history.messages, out=history.out)


async def drawer(server: LettaServer, source: Json, tenant_id: UUID) -> Drawer:
    """A folder with the text of its files."""
    documents = await server.if_there(f"/v1/folders/{source['id']}/files", order="asc", include_content=True)
    try:
        found = [FileDocument.model_validate(each) for each in documents]
        return drawer_of(FileSource.model_validate(source), found, tenant_id, kept_id, "letta")
    except ValidationError as error:
        raise BadAgentFile(f"folder {source['id']}: {problems_of(error)}") from None


def identity_of(given: Json, tenant_id: UUID) -> Identity:
    """An identity, by the name that the outside knows it by."""
    properties: list[Json] = given.get("properties") or []
    return Identity(
        tenant_id=tenant_id,
        id=kept_id(f"identity/{given['id']}"),
        identifier=clean_text(str(given["identifier_key"])),
        name=clean_text(str(given.get("name") or given["identifier_key"])),
        kind=str(given.get("identity_type") or "user"),
        properties=[storable(each) for each in properties],
        extra={"origin": f"letta/{given['id']}"},
    )


def shelf_of(archive: Json, passages: Iterable[Json], tenant_id: UUID) -> Shelf:
    """An archive with those of the passages that are in it."""
    row = Archive(
        tenant_id=tenant_id,
        id=kept_id(f"shelf/{archive['id']}"),
        name=clean_text(str(archive.get("name") or "")),
        description=clean_text(str(archive.get("description") or "")),
        extra={"origin": f"letta/{archive['id']}", "metadata": archive.get("metadata")},
    )
    own = [passage_of(each, row) for each in passages if each.get("archive_id") == archive["id"]]
    return Shelf(row, [passage for passage in own if passage.text.strip()])


def passage_of(given: Json, archive: Archive) -> Passage:
    """A passage, without its vector: the embedder here makes its own."""
    return Passage(
        tenant_id=archive.tenant_id,
        id=kept_id(f"passage/{given['id']}"),
        archive_id=archive.id,
        text=clean_text(str(given.get("text") or "")),
        tags=list(dict.fromkeys(clean_text(str(tag)) for tag in given.get("tags") or ())),
        source="letta",
        origin=Origin.imported,
        extra=given.get("metadata") or {},
        created_at=MOMENT.validate_python(given["created_at"]) if given.get("created_at") else now(),
    )


# --- into the form of a file ---------------------------------------------------------------------------------------------


def as_file(state: Json, said: Sequence[Json]) -> AgentFile:
    """The server's answers in the form of an agent file, with the server's ids. BadAgentFile."""
    blocks = objects(state, "blocks") or objects(state.get("memory"), "blocks")
    tools = objects(state, "tools")
    secrets = objects(state, "secrets") or objects(state, "tool_exec_environment_variables")
    messages = file_messages(said)
    there = {message["id"] for message in messages}
    inside: list[str] = state.get("message_ids") or []
    agent = {
        **state,
        "secrets": {each["key"]: each.get("value") or "" for each in secrets},
        "tool_exec_environment_variables": None,
        "tool_ids": [tool["id"] for tool in tools],
        "block_ids": [block["id"] for block in blocks],
        "in_context_message_ids": [each for each in inside if each in there],
        "messages": messages,
    }
    try:
        return AgentFile.model_validate({"agents": [agent], "blocks": blocks, "tools": tools})
    except ValidationError as error:
        raise BadAgentFile(f"agent {state.get('id')}: {problems_of(error)}") from None


def objects(holder: Json | None, name: str) -> list[Json]:
    """The list of that name; empty where there is none."""
    return (holder or {}).get(name) or []


def as_model(agent: Json) -> FileAgent:
    """The agent with other messages. BadAgentFile."""
    try:
        return FileAgent.model_validate(agent)
    except ValidationError as error:
        raise BadAgentFile(f"agent {agent.get('id')}: {problems_of(error)}") from None


def file_messages(said: Iterable[Json]) -> list[Json]:
    """The server's list, in which one message is several entries, as messages of a file."""
    return [
        message
        for message_id, parts in groupby(said, key=lambda part: part["id"])
        if (message := file_message(message_id, list(parts))) is not None
    ]


def file_message(message_id: str, parts: Sequence[Json]) -> Json | None:
    """One message; None for one that a history does not need (an event, hidden reasoning alone)."""
    message: Json = {"id": message_id, "created_at": parts[0].get("date"), "role": None, "content": []}
    for part in parts:
        message |= read_part(part, message["content"])
    return message if message["role"] else None


def read_part(part: Json, content: list[Any]) -> Json:
    """What an entry says of its message; ``content`` grows by its texts."""
    match part["message_type"]:
        case "user_message" | "system_message" as kind:
            texts: Any = part.get("content")
            return {"role": kind.partition("_")[0], "content": texts, "otid": part.get("otid"), "name": part.get("name")}
        case "assistant_message":
            content += as_parts(part.get("content"))
            return {"role": "assistant"}
        case "reasoning_message":
            content.append({"type": "reasoning", "reasoning": part.get("reasoning") or ""})
            return {"role": "assistant"}
        case "tool_call_message":
            return {"role": "assistant", "tool_calls": calls_of(part)}
        case "approval_request_message":
            return {"role": "approval", "tool_calls": calls_of(part)}
        case "approval_response_message":
            return {"role": "approval", "approvals": part.get("approvals") or []}
        case "tool_return_message":
            several = part.get("tool_returns") or [part]
            return {"role": "tool", "name": part.get("name"), "tool_returns": [return_of(each) for each in several]}
        case "summary_message":
            return {"role": "summary", "content": part.get("summary")}
        case _:
            return {}


def as_parts(content: Any) -> list[Json]:
    """A content as parts."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def calls_of(part: Json) -> list[Json]:
    """The calls of an entry in the form of a file."""
    several = part.get("tool_calls") or [part["tool_call"]]
    return [
        {"id": call["tool_call_id"], "function": {"name": call["name"], "arguments": call["arguments"]}} for call in several
    ]


def return_of(given: Json) -> Json:
    """A return in the form of a file."""
    return {
        "tool_call_id": given["tool_call_id"],
        "status": given.get("status"),
        "func_response": given.get("tool_return"),
    }


def beside(state: Json) -> list[LeftOut]:
    """What is attached to the agent and does not come along."""
    name = state["name"]
    found = [([state["managed_group"]] if state.get("managed_group") else [], "group", "there are no groups here")]
    return [LeftOut(f"{what} of agent {name}", why) for some, what, why in found for _ in some or ()]
