"""``/v1/agents/{id}/export`` and ``/v1/agents/import``: agents as files that Letta 0.16 reads, and those that it writes."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, UploadFile
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, ConversationId, wire_id
from pagemind.api.letta.agent_bodies import AgentName, Secrets
from pagemind.api.letta.agent_file import Wishes, bundle_of, parse
from pagemind.api.letta.agent_file_schema import MOST_BYTES
from pagemind.api.letta.agent_file_writing import file_of
from pagemind.api.letta.agent_state import known_agent
from pagemind.api.problems import Problem, bad_request, unprocessable
from pagemind.api.values import Name
from pagemind.engine.agent_files import bring_in, taken_out
from pagemind.store import conversations

router = APIRouter(tags=["agents"])

Handle = Annotated[Name | None, Form()]
SECRETS: TypeAdapter[dict[str, str]] = TypeAdapter(Secrets)


@router.get("/v1/agents/{agent_id}/export")
async def export_agent(
    here: Caller,
    agent_id: AgentId,
    conversation_id: ConversationId | None = None,
    scrub_messages: bool = False,
    use_legacy_format: bool = False,
) -> JSONResponse:
    """The agent as a file: a JSON document. ``scrub_messages`` leaves its messages out; secrets never go along."""
    if use_legacy_format:
        raise bad_request("The legacy format is not supported; leave use_legacy_format out.")
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        if conversation_id is not None and (await conversations.get(session, conversation_id)).agent_id != agent_id:
            raise Problem(404, f"The agent has no conversation {wire_id('conv', conversation_id)}.")
        bundle = await taken_out(session, agent_id, conversation_id=conversation_id)
    return JSONResponse(file_of(here.runtime.kernel, bundle, scrub_messages=scrub_messages))


@router.post("/v1/agents/import")
async def import_agents(
    here: Caller,
    file: UploadFile,
    append_copy_suffix: Annotated[bool, Form()] = True,
    override_existing_tools: Annotated[bool, Form()] = True,
    strip_messages: Annotated[bool, Form()] = False,
    name: Annotated[AgentName | None, Form()] = None,
    override_name: Annotated[AgentName | None, Form()] = None,
    model: Handle = None,
    override_model_handle: Handle = None,
    embedding: Handle = None,
    override_embedding_handle: Handle = None,
    secrets: Annotated[str | None, Form()] = None,
    env_vars_json: Annotated[str | None, Form()] = None,
    x_override_embedding_model: Annotated[Name | None, Header()] = None,
) -> dict[str, Any]:
    """Make new agents of a file, all of them or none, with their blocks, tools, messages and passages."""
    wishes = Wishes(
        name=name or override_name or None,
        copy_suffix=append_copy_suffix,
        strip_messages=strip_messages,
        secrets=given_secrets(secrets or env_vars_json),
        model=model or override_model_handle,
        embedding=embedding or override_embedding_handle or x_override_embedding_model,
    )
    content = await file.read(MOST_BYTES + 1)
    # A file of some megabytes takes a second, in which nobody else should have to wait.
    bundle = await asyncio.to_thread(lambda: bundle_of(parse(content), here.tenant_id, wishes=wishes))
    brought = await bring_in(here.runtime.kernel, bundle, author=here.author, override_tools=override_existing_tools)
    here.runtime.index_soon()
    return {"agent_ids": [wire_id("agent", agent.id) for agent in brought.agents]}


def given_secrets(text: str | None) -> dict[str, str]:
    """The secrets, which come as a JSON object in a text; 422 where it is none."""
    if not text:
        return {}
    try:
        return SECRETS.validate_python(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        raise unprocessable("`secrets` must be a JSON object of texts.") from None
