"""From what was asked for to an agent: its columns, its tools and rules, what it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pagemind.api.here import Here
from pagemind.api.letta.agent_bodies import AgentBody, AgentCreate, AgentUpdate
from pagemind.api.letta.agent_kinds import BASE_TOOLS, DEFAULT_KIND, MULTI_AGENT_TOOLS, SEND, base_rules
from pagemind.api.letta.agent_tools import known_names, names_of
from pagemind.api.letta.model_json import FEWEST_REPLY_TOKENS, REPLY_TOKENS, model_named
from pagemind.api.letta.names import friendly_name
from pagemind.api.times import optional_stamp
from pagemind.definitions.schema import MemorySpec, ModelSpec
from pagemind.engine import agents as making
from pagemind.engine import first_messages
from pagemind.engine.agents import Belongings
from pagemind.records import Agent, Conversation, Input, Json, Message, Role
from pagemind.store import agents
from pagemind.store.database import AsyncSession

RUN_FIELDS = ("last_run_duration_ms", "last_stop_reason")
MEMORY: Json = MemorySpec().model_dump(mode="json")


async def made(here: Here, session: AsyncSession, asked: AgentCreate, agent: Agent, first: Opening) -> None:
    """Store the agent with all that it begins with, and with the tools that it asks for by name or id."""
    tools = await new_tools(here, session, asked, agent.kind)
    agent.tools, agent.rules = tools, new_rules(asked, agent.kind, tools)
    if asked.system is None:
        agent.instructions = here.runtime.kernel.prose.instructions(sends=SEND in tools)
    belongings = Belongings(
        blocks=[block.block(here.tenant_id) for block in asked.memory_blocks or ()],
        block_ids=asked.block_ids or (),
        identity_ids=asked.identity_ids or (),
        archive_ids=asked.archive_ids or (),
        folder_ids=asked.folders or (),
        conversation=first.conversation,
        messages=first.messages,
    )
    await making.make(session, agent, belongings, author=here.author)


@dataclass(frozen=True)
class Opening:
    """A new agent's main conversation with the messages that it begins with, counted, not stored yet."""

    conversation: Conversation
    messages: Sequence[Message]


async def opening(here: Here, agent: Agent, asked: AgentCreate) -> Opening:
    """What the agent's first messages make of its main conversation; the reasoner is asked to count them."""
    conversation = making.main_conversation(agent)
    said = [
        Input(
            content=each.text,
            role=Role(each.role),
            parts=None if isinstance(each.content, str) else each.content,
            otid=each.otid,
            sender=each.sender_id,
            name=each.name,
        )
        for each in asked.initial_message_sequence or ()
    ]
    return Opening(conversation, await first_messages.counted(here.runtime.kernel, conversation, said))


def new_rules(asked: AgentCreate, kind: str, tools: Sequence[str]) -> list[Json]:
    """The rules that are asked for, and those that the type's own tools come with."""
    rules = asked.rules()
    own = base_rules([name for name in BASE_TOOLS[kind] if name in tools])
    if asked.include_base_tool_rules is not False:
        rules += [rule for rule in own if not is_among(rule, rules)]
    return rules


def new_agent(here: Here, asked: AgentCreate) -> Agent:
    """The agent's row, without its tools."""
    return Agent(
        tenant_id=here.tenant_id,
        name=asked.name or friendly_name(),
        description=asked.description or "",
        model=model_of({"max_reply_tokens": REPLY_TOKENS, **asked.model_keys(), **named_model(here, asked)}),
        instructions=asked.system or "",
        memory=MEMORY,
        tags=list(dict.fromkeys(asked.tags or ())),
        kind=asked.agent_type or DEFAULT_KIND,
        secrets=dict(asked.environment or {}),
        extra=asked.kept() | model_extra(asked),
    )


async def new_tools(here: Here, session: AsyncSession, asked: AgentCreate, kind: str) -> list[str]:
    """The names of a new agent's tools: those of its type, then those that are asked for by name and by id."""
    kernel = here.runtime.kernel
    base: Sequence[str] = BASE_TOOLS[kind] if asked.include_base_tools is not False else ()
    several = MULTI_AGENT_TOOLS if asked.include_multi_agent_tools else ()
    own = [name for name in (*base, *several) if name in kernel.registry]
    by_name = await known_names(session, kernel, asked.tools or ())
    by_id = await names_of(session, kernel, asked.tool_ids or ())
    return list(dict.fromkeys([*own, *by_name, *by_id]))


def is_among(rule: Json, rules: Sequence[Json]) -> bool:
    """Whether there is a rule of that type for that tool."""
    return any((each["tool_name"], each["type"]) == (rule["tool_name"], rule["type"]) for each in rules)


def model_of(keys: Json) -> Json:
    """The definition's ``model`` section with these keys; a reply has at least a few tokens."""
    keys["max_reply_tokens"] = max(keys["max_reply_tokens"], FEWEST_REPLY_TOKENS)
    return ModelSpec(**keys).model_dump(mode="json")


def named_model(here: Here, asked: AgentBody) -> Json:
    """The key for the model, where a handle came: a name only if the reasoner's server has it beside the usual one."""
    return {} if asked.handle is None else {"name": model_named(here.runtime.kernel, asked.handle)}


def model_extra(asked: AgentBody) -> Json:
    """What is given back of the model: the handle as it came, and its settings."""
    kept: Json = {}
    if asked.handle is not None:
        kept["model"] = asked.handle
    settings = dict(asked.model_settings or {})
    if asked.parallel_tool_calls is not None:
        settings["parallel_tool_calls"] = asked.parallel_tool_calls
    return kept | ({"model_settings": settings} if settings else {})


async def changed(here: Here, session: AsyncSession, agent: Agent, asked: AgentUpdate) -> Agent:
    """Write what is asked for into a locked agent; lists replace."""
    kernel = here.runtime.kernel
    if asked.name:
        agent.name = asked.name
    if asked.description is not None:
        agent.description = asked.description
    if asked.system is not None:
        agent.instructions = asked.system
    if asked.tags is not None:
        agent.tags = list(dict.fromkeys(asked.tags))
    if asked.tool_ids is not None:
        agent.tools = await names_of(session, kernel, asked.tool_ids)
    if asked.tool_rules is not None:
        agent.rules = asked.rules()
    if asked.environment is not None:
        agent.secrets = dict(asked.environment)
    if keys := asked.model_keys() | named_model(here, asked):
        agent.model = model_of({**agent.model, **keys})
    agent.extra = changed_extra(agent.extra, asked)
    if asked.block_ids is not None:
        await making.put_blocks(session, agent, asked.block_ids)
    if asked.identity_ids is not None:
        await making.put_identities(session, agent, asked.identity_ids)
    if asked.folders is not None:
        await making.put_folders(session, agent, asked.folders)
    return await agents.save(session, agent)


def changed_extra(extra: Json, asked: AgentUpdate) -> Json:
    """What is given back of the agent, after the change."""
    fresh = asked.kept() | model_extra(asked)
    if "model_settings" in fresh:
        fresh["model_settings"] = {**(extra.get("model_settings") or {}), **fresh["model_settings"]}
    for name in asked.model_fields_set.intersection(RUN_FIELDS):
        fresh[name] = getattr(asked, name)
    if asked.last_run_completion is not None:
        fresh["last_run_completion"] = optional_stamp(asked.last_run_completion)
    return {**extra, **fresh}
