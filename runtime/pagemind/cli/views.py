"""What the commands and the chat show of an agent's memory, as rich renderables. Every text from elsewhere is made safe."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pagemind.cli.text import counted, one_line, safe_text
from pagemind.records.agents import Agent
from pagemind.records.conversations import Conversation, Message
from pagemind.records.memory import Block, BlockRevision
from pagemind.records.search import MessageHit, PassageHit


def table(*columns: str, rows: Iterable[Sequence[RenderableType]]) -> Table:
    """A table without any box; a column whose name begins with ``#`` is of figures."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    return shown


def moment(when: datetime) -> str:
    """Date and time to the minute, where the person is."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M")


def agents_table(agents: Sequence[Agent]) -> RenderableType:
    """The agents by name."""
    if not agents:
        return Text("There is no agent yet: `pagemind apply FILE` makes one.")
    rows = [
        (
            Text(safe_text(agent.name), style="bold"),
            Text(one_line(agent.description, 70)),
            Text(" ".join(agent.tags)),
            moment(agent.updated_at),
        )
        for agent in agents
    ]
    return table("agent", "description", "tags", "changed", rows=rows)


def blocks_view(blocks: Sequence[Block]) -> RenderableType:
    """Each block's label, how full it is, and its value."""
    parts: list[RenderableType] = []
    for block in blocks:
        flags = "".join(f", {word}" for word in (["read-only"] if block.read_only else []) + [f"{block.owner} owns it"])
        head = Text.assemble(
            (safe_text(block.label), "bold"), (f"  {len(block.value):,}/{block.limit_chars:,} chars{flags}, ", "dim")
        )
        head.append(f"revision {block.revision}", "dim")
        if block.description:
            head.append(f"\n{one_line(block.description, 200)}", "dim italic")
        parts += [head, Text(safe_text(block.value) or "(empty)"), Text("")]
    return Group(*parts[:-1]) if parts else Text("This agent has no blocks.")


def history_view(revisions: Sequence[BlockRevision]) -> RenderableType:
    """The revisions, newest first, each with its author and what it changed against the one before."""
    parts: list[RenderableType] = []
    for newer, older in zip(revisions, [*revisions[1:], None], strict=True):
        kind = str(newer.edit.get("kind", ""))
        head = Text.assemble(
            (f"#{newer.revision}", "bold"), f" {moment(newer.created_at)}  {safe_text(newer.author)}  ", (kind, "dim")
        )
        parts.append(head)
        parts += diff_lines(older.value if older else "", newer.value)
    return Group(*parts)


def diff_lines(old: str, new: str) -> list[Text]:
    """The lines that went (``-``) and came (``+``)."""
    changed = difflib.ndiff(safe_text(old).splitlines(), safe_text(new).splitlines())
    styles = {"+ ": "green", "- ": "red"}
    return [Text(f"  {line[0]} {line[2:]}", style=styles[line[:2]]) for line in changed if line[:2] in styles]


def passages_table(hits: Sequence[PassageHit]) -> RenderableType:
    """Passages found in the archive with how each scored."""
    rows: list[Sequence[RenderableType]] = []
    for hit in hits:
        figures = [figure(hit.score), score(hit.scores, "words"), score(hit.scores, "vector")]
        rows.append([*figures, moment(hit.created_at), Text(" ".join(hit.tags)), Text(one_line(hit.text, 200))])
    columns = ("#score", "#words", "#vector", "stored", "tags", "passage")
    return table(*columns, rows=rows) if rows else Text("Nothing in the archive.")


def messages_table(hits: Sequence[MessageHit]) -> RenderableType:
    """Messages found in the conversation with how each scored and whether it stands in the window."""
    rows: list[Sequence[RenderableType]] = []
    for hit in hits:
        figures = [figure(hit.score), score(hit.scores, "words"), score(hit.scores, "vector")]
        where = "resident" if hit.resident else "paged out"
        rows.append([f"#{hit.seq}", *figures, hit.role, where, Text(one_line(hit.content, 200))])
    columns = ("#no", "#score", "#words", "#vector", "role", "where", "message")
    return table(*columns, rows=rows) if rows else Text("Nothing in the conversation.")


def conversations_table(conversations: Sequence[Conversation], current: Conversation | None) -> RenderableType:
    """The conversations, newest first, numbered as ``/resume`` takes them."""
    rows: list[Sequence[RenderableType]] = []
    for number, one in enumerate(conversations, 1):
        here = "*" if current is not None and one.id == current.id else ""
        title = Text(one_line(one.title or str(one.id)))
        rows.append([f"{here}{number}", title, counted(one.next_seq - 1, "message"), moment(one.updated_at)])
    return table("#", "conversation", "#messages", "last used", rows=rows)


def messages_view(messages: Sequence[Message]) -> RenderableType:
    """Messages as a list of who said what."""
    parts: list[RenderableType] = []
    for message in messages:
        who = f"{message.role} {message.name}" if message.name else message.role
        calls = "".join(f" ⚙ {call.get('name')}" for call in message.calls or [])
        head = f"#{message.seq} " if message.seq is not None else ""
        parts.append(
            Text.assemble(
                (head, "dim"), (f"{safe_text(who)}: ", "bold"), one_line(message.content, 2000), (safe_text(calls), "dim")
            )
        )
    return Group(*parts) if parts else Text("Nothing has been said yet.")


def score(scores: dict[str, Any], name: str) -> str:
    """One signal's score, or a dash where the signal said nothing."""
    return figure(scores.get(name))


def figure(value: Any) -> str:
    """A score to three places, or a dash."""
    return f"{value:.3f}" if isinstance(value, int | float) else "–"
