"""Agent files (``.af``) of Letta 0.16: read into the engine's bundle.

An import over the API is ``parse`` the upload, then ``bundle_of`` it, then ``engine.agent_files.bring_in``; the answer's
``agent_ids`` are those of ``Brought.agents``, and ``Runtime.index_soon`` is to be told. Each import makes new agents, unless
``ids`` gives the same id to the same place (``ids_of``). The way out is ``agent_file_writing.file_of``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4
from zoneinfo import available_timezones

from pydantic import TypeAdapter, ValidationError

from pagemind.api.letta.agent_file_drawers import drawer_of
from pagemind.api.letta.agent_file_messages import history_of
from pagemind.api.letta.agent_file_schema import MOST_BYTES, AgentFile, FileAgent, FileBlock, FileTool, Model
from pagemind.api.letta.agent_kinds import BASE_TOOLS, DEFAULT_KIND
from pagemind.api.letta.block_bodies import DEFAULT_LIMIT_CHARS
from pagemind.api.letta.history import NewId
from pagemind.api.letta.model_json import FEWEST_REPLY_TOKENS, MOST_TOKENS, REPLY_TOKENS, WINDOW_LEAST, WINDOW_MOST
from pagemind.api.letta.safe_names import safe_label, safe_name
from pagemind.api.letta.tool_rules import ToolRule, kept_rules
from pagemind.definitions.schema import MemorySpec, ModelSpec
from pagemind.engine.agent_files import Bundle, LeftOut, Member, Shelf, Talk
from pagemind.errors import BadAgentFile
from pagemind.memory.rules import Rule
from pagemind.records import Agent, Archive, Block, Conversation, Json, Origin, Passage, StoredTool, ToolKind, now
from pagemind.records.base import record_of
from pagemind.records.text import clean_text

SHOWN_PROBLEMS = 5
COPY = "_copy"
NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
UNNAMED = "unnamed"
CUSTOM = "custom"
MOST_OPEN, MOST_VIEW_CHARS = 1000, 10_000_000
USABLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MCP = "external_mcp"
PYTHON = ("python", "json", None)
"""Source types of tools in Python: Letta gives ``json`` to those made without one."""
EXPORT_LEAVES_OUT = "an agent file holds no values of secrets; set it: agents.update(agent_id, secrets={...})"


@dataclass(frozen=True)
class Wishes:
    """How a file is to be imported otherwise than it says."""

    name: str | None = None
    copy_suffix: bool = False
    """Put ``_copy`` behind the names."""
    strip_messages: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of the secrets that the file names."""
    model: str | None = None
    embedding: str | None = None


AS_IT_IS = Wishes()
RULE: TypeAdapter[Rule] = TypeAdapter(ToolRule)


def parse(data: bytes) -> AgentFile:
    """The file; BadAgentFile says what is wrong with it."""
    if len(data) > MOST_BYTES:
        raise BadAgentFile(f"{len(data):,} bytes; the limit is {MOST_BYTES:,}")
    try:
        content: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadAgentFile(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict) or "agents" not in content:
        raise BadAgentFile("it has no list `agents`: a file of Letta before 0.8 must be exported anew")
    try:
        return AgentFile.model_validate(content)
    except ValidationError as error:
        raise BadAgentFile(problems_of(error)) from None


def problems_of(error: ValidationError) -> str:
    """The first problems, each with its place."""
    found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:SHOWN_PROBLEMS]]
    more = error.error_count() - len(found)
    return "; ".join(found) + (f"; and {more} more" if more > 0 else "")


def new_ids() -> NewId:
    """Ids that nobody has yet; the same one for the same place of the file."""
    given: dict[str, UUID] = {}
    return lambda place: given.setdefault(place, uuid4())


def ids_of(origin: str) -> NewId:
    """Ids that the same origin and place always give, in the form of version 4."""

    def new_id(place: str) -> UUID:
        return UUID(bytes=hashlib.sha256(f"{origin}/{place}".encode()).digest()[:16], version=4)

    return new_id


def digest_of(data: bytes) -> str:
    """What a file is known by."""
    return hashlib.sha256(data).hexdigest()


def bundle_of(
    file: AgentFile, tenant_id: UUID, *, ids: NewId | None = None, wishes: Wishes = AS_IT_IS, origin: str = "letta"
) -> Bundle:
    """What is in the file. BadAgentFile where an agent names a block, tool or message that is not there."""
    reading = Reading(file, tenant_id, ids or new_ids(), wishes, origin)
    shelves = [reading.shelf(agent) for agent in file.agents]
    members = [reading.member(agent, shelf) for agent, shelf in zip(file.agents, shelves, strict=True)]
    return Bundle(
        members=members,
        blocks=[reading.block(block) for block in file.blocks],
        tools=[tool for tool in map(reading.tool, file.tools) if tool is not None],
        shelves=[shelf for shelf in shelves if shelf.passages],
        drawers=[drawer_of(source, file.files, tenant_id, reading.ids, origin) for source in file.sources],
        left_out=[*reading.left_out, *around(file)],
    )


def around(file: AgentFile) -> list[LeftOut]:
    """What stands beside the agents and cannot come along."""
    found = [(file.groups, "group of agents", "there are no groups here; the agents came, each by itself")]
    found += [(file.mcp_servers, "MCP server", "a file leaves out what it is authorised with; register it here")]
    return [LeftOut(f"{len(some)} {what}{'s' if len(some) > 1 else ''}", why) for some, what, why in found if some]


@dataclass
class Reading:
    """A file on its way into records; ``left_out`` grows with what cannot come along."""

    file: AgentFile
    tenant_id: UUID
    ids: NewId
    wishes: Wishes
    origin: str
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])

    def member(self, given: FileAgent, shelf: Shelf | None = None) -> Member:
        """An agent with its conversation."""
        agent = self.agent(given)
        block_ids = [self.ids(f"block/{each}") for each in known(given.block_ids, self.file.blocks, "block", given)]
        return Member(
            agent=agent,
            block_ids=list(dict.fromkeys(block_ids)),
            archive_ids=[shelf.archive.id] if shelf and shelf.passages else [],
            folder_ids=[self.ids(f"folder/{each}") for each in given.source_ids or ()],
            talks=[self.talk(given, agent)],
        )

    def agent(self, given: FileAgent) -> Agent:
        """The agent's row."""
        kind = given.agent_type if given.agent_type in BASE_TOOLS else DEFAULT_KIND
        if given.agent_type not in (None, kind):
            self.leave_out(f"type {given.agent_type} of agent {given.name}", f"it is not known here; it runs as {kind}")
        tools = {tool.id: tool for tool in self.file.tools}
        named = [tools[each] for each in known(given.tool_ids, self.file.tools, "tool", given)]
        name = self.wishes.name or (safe_name(given.name) or UNNAMED) + (COPY if self.wishes.copy_suffix else "")
        return Agent(
            tenant_id=self.tenant_id,
            id=self.ids(f"agent/{given.id}"),
            name=name,
            description=given.description or "",
            model=model_of(given.llm_config),
            instructions=given.system or "",
            tools=list(dict.fromkeys(tool.name for tool in named if tool.tool_type != MCP)),
            memory=MemorySpec().model_dump(mode="json"),
            tags=list(dict.fromkeys(clean_text(tag) for tag in given.tags or ())),
            kind=kind,
            rules=self.rules(given),
            secrets=self.secrets(given),
            extra=self.given_back(given),
        )

    def given_back(self, given: FileAgent) -> Json:
        """What is given back of the agent as it came."""
        config = given.llm_config or Model()
        zone = given.timezone if given.timezone in available_timezones() else None
        settings = {"provider_type": config.model_endpoint_type or "openai", "parallel_tool_calls": config.parallel_tool_calls}
        kept = {
            "origin": f"{self.origin}/{given.id}",
            "model": self.wishes.model or given.model or config.full_handle,
            "model_settings": {name: value for name, value in settings.items() if value is not None},
            "embedding": self.wishes.embedding or given.embedding or given.embedding_config.get("handle"),
            "metadata": given.metadata,
            "response_format": given.response_format,
            "timezone": zone,
            "message_buffer_autoclear": given.message_buffer_autoclear,
            "max_files_open": within(given.max_files_open, MOST_OPEN),
            "per_file_view_window_char_limit": within(given.per_file_view_window_char_limit, MOST_VIEW_CHARS),
            "hidden": given.hidden,
        }
        return {name: value for name, value in kept.items() if value is not None}

    def rules(self, given: FileAgent) -> list[Json]:
        """The rules that are understood here."""
        kept: list[Json] = []
        for rule in given.tool_rules or ():
            try:
                kept += kept_rules([RULE.validate_python(rule)])
            except ValidationError:
                self.leave_out(f"tool rule {str(rule.get('type'))[:80]!r} of agent {given.name}", "it is not known here")
        return kept

    def secrets(self, given: FileAgent) -> dict[str, str]:
        """The agent's environment variables that have a value."""
        named = {**(given.tool_exec_environment_variables or {}), **(given.secrets or {})}
        values = {key: self.wishes.secrets.get(key) or value for key, value in named.items()}
        for key, value in values.items():
            if not value:
                self.leave_out(f"value of secret {key} of agent {given.name}", EXPORT_LEAVES_OUT)
        return {key: clean_text(value) for key, value in values.items() if value}

    def talk(self, given: FileAgent, agent: Agent) -> Talk:
        """The agent's main conversation."""
        conversation = Conversation(
            tenant_id=self.tenant_id, id=self.ids(f"conversation/{given.id}"), agent_id=agent.id, main=True
        )
        if self.wishes.strip_messages:
            return Talk(conversation)
        lacking = set(given.in_context_message_ids).difference(message.id for message in given.messages)
        if lacking:
            raise BadAgentFile(f"agent {given.id} has {sorted(lacking)[0]!r} in its context, and no message of that id")
        history = history_of(given, conversation, self.ids)
        conversation.summary = history.summary
        if history.mended:
            self.leave_out(
                f"{history.mended} tool calls or returns of agent {given.name}", "they had no counterpart in the file"
            )
        return Talk(conversation, history.messages, out=history.out)

    def block(self, given: FileBlock) -> Block:
        """A block; one that is longer than its limit gets a limit that holds it."""
        kept = {
            "origin": f"{self.origin}/{given.id}",
            "metadata": given.metadata,
            "is_template": given.is_template,
            "template_name": given.template_name,
            "preserve_on_migration": given.preserve_on_migration,
            "hidden": given.hidden,
        }
        return Block(
            tenant_id=self.tenant_id,
            id=self.ids(f"block/{given.id}"),
            label=safe_label(given.label),
            value=given.value,
            description=given.description or "",
            limit_chars=max(given.limit or DEFAULT_LIMIT_CHARS, len(given.value)),
            read_only=bool(given.read_only),
            tags=list(dict.fromkeys(clean_text(tag) for tag in given.tags or ())),
            extra={name: value for name, value in kept.items() if value is not None},
        )

    def tool(self, given: FileTool) -> StoredTool | None:
        """A tool from source; None for one of Letta's own, which is here by its name or not at all."""
        if given.tool_type == MCP:
            self.leave_out(f"tool {given.name}", "it is on an MCP server; register the server here and attach the tool")
        if given.tool_type not in (CUSTOM, None) or not given.source_code:
            return None
        if not USABLE_NAME.fullmatch(given.name):
            self.leave_out(f"tool {given.name[:100]!r}", "its name is none that a model can call")
            return None
        if given.source_type not in PYTHON:
            self.leave_out(f"tool {given.name}", f"its source is {given.source_type}, and tools here are Python")
            return None
        schema: Any = given.json_schema.get("parameters")
        asked = cast("Json", schema) if isinstance(schema, dict) else {}
        parameters = asked if asked.get("type") == "object" else NO_ARGUMENTS
        kept = {"origin": f"{self.origin}/{given.id}", "source_type": given.source_type}
        return StoredTool(
            tenant_id=self.tenant_id,
            id=self.ids(f"tool/{given.id}"),
            name=given.name,
            kind=ToolKind.source,
            description=given.description or str(given.json_schema.get("description") or ""),
            source=given.source_code,
            parameters=parameters,
            tags=list(dict.fromkeys(clean_text(tag) for tag in given.tags or ())),
            needs_approval=bool(given.default_requires_approval),
            result_limit_chars=given.return_char_limit or None,
            extra={
                **{name: value for name, value in kept.items() if value is not None},
                **({"pip_requirements": given.pip_requirements} if given.pip_requirements else {}),
            },
        )

    def shelf(self, given: FileAgent) -> Shelf:
        """The agent's archive: only files that we wrote have passages."""
        archive = Archive(tenant_id=self.tenant_id, id=self.ids(f"archive/{given.id}"), name=safe_name(given.name) or UNNAMED)
        archive.extra = {"origin": f"{self.origin}/{given.id}"}
        own = [passage for passage in self.file.passages if passage.agent_id == given.id and passage.text.strip()]
        return Shelf(
            archive,
            [
                record_of(
                    Passage,
                    {
                        "tenant_id": self.tenant_id,
                        "id": self.ids(f"passage/{given.id}/{place}"),
                        "archive_id": archive.id,
                        "text": passage.text,
                        "tags": list(dict.fromkeys(clean_text(tag) for tag in passage.tags or ())),
                        "source": passage.source or self.origin,
                        "origin": Origin.imported,
                        "extra": passage.metadata or {},
                        "created_at": passage.created_at or now(),
                    },
                )
                for place, passage in enumerate(own)
            ],
        )

    def leave_out(self, what: str, why: str) -> None:
        """Note what does not come along."""
        self.left_out.append(LeftOut(what, why))


def within(value: int | None, most: int) -> int | None:
    """The value, if it is one from 0 to ``most``."""
    return value if value is not None and 0 <= value <= most else None


def known(ids: Sequence[str] | None, there: Sequence[FileBlock] | Sequence[FileTool], kind: str, agent: FileAgent) -> list[str]:
    """The ids, if all of them are in the file."""
    standing = {each.id for each in there}
    for each in ids or ():
        if each not in standing:
            raise BadAgentFile(f"agent {agent.id} has the {kind} {each!r}, which is not in the file")
    return list(ids or ())


def model_of(config: Model | None) -> Json:
    """The definition's ``model`` section. The reasoner is the one that is configured here, whatever model the agent had."""
    asked: Json = {"max_reply_tokens": REPLY_TOKENS}
    if config is not None:
        if config.temperature is not None and 0 <= config.temperature <= 2:
            asked["temperature"] = config.temperature
        if config.max_tokens:
            asked["max_reply_tokens"] = min(max(config.max_tokens, FEWEST_REPLY_TOKENS), MOST_TOKENS)
        if config.context_window and WINDOW_LEAST <= config.context_window <= WINDOW_MOST:
            asked["window_tokens"] = config.context_window
    return ModelSpec(**asked).model_dump(mode="json")
