"""Talking to an agent from OpenAI's wire: which agent, which conversation, and what of the request is new."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from pagemind.api.here import Here
from pagemind.api.ids import record_id, wire_id
from pagemind.api.openai.route import refusal
from pagemind.errors import UnknownAgent, UnknownRecord
from pagemind.records import Agent, Conversation
from pagemind.store import agents, conversations, identities


async def agent_of(here: Here, model: str) -> Agent:
    """The agent that a request names as its model: by name, or by id."""
    try:
        name: str | UUID = record_id("agent", model)
    except ValueError:
        name = model
    try:
        async with here.transaction() as session:
            return await agents.get(session, name)
    except UnknownAgent:
        message = f"There is no agent {model[:80]!r}. GET /v1/models lists those that there are."
        raise refusal(message, "model", code="model_not_found", status=HTTPStatus.NOT_FOUND) from None


async def conversation_of(here: Here, agent: Agent, user: str | None) -> tuple[Conversation, str | None]:
    """The conversation of the agent with ``user``, and the identity's id on the wire; without a user the main one.

    A user that was never heard of becomes an identity; each has a conversation of its own with each agent.
    """
    async with here.transaction() as session:
        if user is None:
            return await conversations.main_of(session, agent), None
        identity = await identities.known_as(session, here.tenant_id, user)
        conversation = await conversations.with_identity(session, agent, identity.id, title=user)
        return conversation, wire_id("identity", identity.id)


async def named_conversation(here: Here, agent: Agent, name: str) -> Conversation:
    """The agent's conversation ``conv-<uuid>``."""
    try:
        async with here.transaction() as session:
            found = await conversations.get(session, record_id("conv", name))
    except (ValueError, UnknownRecord):
        raise unknown_conversation(name) from None
    if found.agent_id != agent.id:
        raise unknown_conversation(name)
    return found


def unknown_conversation(name: str) -> Exception:
    """404 for a conversation that this agent does not have."""
    return refusal(
        f"The agent has no conversation {name[:80]!r}.", "conversation", code="not_found", status=HTTPStatus.NOT_FOUND
    )
