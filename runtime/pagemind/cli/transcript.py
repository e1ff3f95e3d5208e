"""A conversation as Markdown, and the files that ``/export`` writes."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from pagemind.cli.text import safe_text
from pagemind.cli.views import moment
from pagemind.engine.apply import read_agent
from pagemind.engine.runtime import Runtime
from pagemind.errors import UsageError
from pagemind.records.agents import Agent
from pagemind.records.conversations import Conversation, Message, Role

MESSAGES_LIMIT = 1_000_000


class CannotWrite(UsageError):
    """The file cannot be written. Fix: name a folder that you may write to."""

    code = "cannot_write"


async def export_files(runtime: Runtime, agent: Agent, conversation: Conversation, folder: Path) -> list[tuple[Path, str]]:
    """Write both files into the folder, replacing older exports; each path with what it holds. CannotWrite."""
    messages = await runtime.history(conversation.id, MESSAGES_LIMIT)
    stem = re.sub(r"[^\w.-]+", "-", agent.name)
    folder = await asyncio.to_thread(folder.expanduser)
    transcript = folder / f"{stem}-{str(conversation.id)[:8]}.md"
    definition = folder / f"{stem}.yaml"
    await asyncio.to_thread(_write, transcript, markdown(agent, conversation, messages))
    # Writing YAML is of use to this command only, which is rarely given: a chat need not wait for it to be imported.
    exporting = importlib.import_module("pagemind.definitions.export")
    live = await read_agent(runtime.kernel.database, agent.name)
    await asyncio.to_thread(_write, definition, exporting.to_yaml(exporting.definition_of(live)))
    return [(transcript, "conversation"), (definition, "agent")]


def markdown(agent: Agent, conversation: Conversation, messages: Sequence[Message]) -> str:
    """The conversation from its first message on: who said what when, tools with their arguments and returns."""
    parts = [f"# {agent.name}: {conversation.title or conversation.id}\n"]
    for message in messages:
        when = moment(message.created_at)
        if message.role == Role.tool:
            parts.append(f"> ⚙ **{message.name}** ({message.status})\n{_quoted(message.content)}\n")
            continue
        parts.append(f"**{_speaker(message, agent)}** · #{message.seq} · {when}\n")
        parts += [f"{message.content}\n"] if message.content else []
        parts += [
            f"> calls `{call.get('name')}` with\n{_quoted(_arguments(call.get('arguments')))}\n" for call in message.calls or []
        ]
    return safe_text("\n".join(parts))


def _speaker(message: Message, agent: Agent) -> str:
    return {Role.user: "You", Role.assistant: agent.name, Role.notice: "Notice"}.get(Role(message.role), message.role)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _arguments(text: object) -> str:
    try:
        return json.dumps(json.loads(str(text)), ensure_ascii=False)
    except ValueError:
        return str(text)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotWrite(str(error)) from error
