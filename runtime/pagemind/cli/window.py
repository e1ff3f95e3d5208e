"""The context window as a picture: segments, tokens, what is resident and what is paged out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.epochs import history_values, history_view
from pagemind.cli.options import conversation_id
from pagemind.cli.output import coloured, print_json, printer
from pagemind.cli.text import counted, safe_text
from pagemind.engine.runtime import Runtime
from pagemind.errors import UnknownRecord
from pagemind.records import Agent, Conversation

if TYPE_CHECKING:
    from pagemind.engine.runtime import ContextReport
    from pagemind.settings import Settings

BAR_COLUMNS = 60
_STYLES = {
    "system": ("blue", "s"),
    "tools": ("magenta", "t"),
    "blocks": ("green", "b"),
    "summary": ("yellow", "u"),
    "messages": ("cyan", "m"),
    "reserve": ("bright_black", "r"),
    "correction": ("white", "+"),
    "free": ("bright_black", "."),
}


async def context(settings: Settings, *, agent: str, conversation: str | None, as_json: bool) -> None:
    """Print the window of the conversation: that one, or the agent's newest. UnknownAgent, UnknownRecord."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        chosen = await one_of(runtime, found, conversation) or await runtime.conversation(found)
        report = await runtime.context(chosen.id)
    if as_json:
        print_json(as_values(report))
    else:
        printer().print(window_view(report))


async def history(settings: Settings, *, agent: str, conversation: str | None, within: int, as_json: bool) -> None:
    """Print the epochs of the conversation: that one, or the agent's newest. UnknownAgent, UnknownRecord."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        chosen = await one_of(runtime, found, conversation)
        report = await runtime.paging(chosen.id, soon_turns=within) if chosen else None
    if as_json:
        print_json(history_values(report) if report else None)
    elif report:
        printer().print(history_view(report, coloured=coloured()))
    else:
        printer().print(Text(f"{safe_text(found.name)} has no conversation yet, so nothing was paged."))


async def one_of(runtime: Runtime, agent: Agent, conversation: str | None) -> Conversation | None:
    """The agent's conversation of that id; without one its newest, None where it has none. UnknownRecord."""
    if conversation is None:
        return next(iter(await runtime.conversations(agent)), None)
    chosen = await runtime.conversation(agent, conversation_id(conversation))
    if chosen.agent_id != agent.id:
        raise UnknownRecord(kind="conversation", id=conversation)
    return chosen


def segment_tokens(report: ContextReport) -> dict[str, int]:
    """Tokens by segment in the order of the prompt, then ``reserve``, the server's ``correction`` and what is ``free``."""
    tokens: dict[str, int] = asdict(report.segments)
    return {**tokens, "free": max(0, report.window_tokens - sum(tokens.values()))}


def bar_cells(tokens: dict[str, int], columns: int = BAR_COLUMNS) -> dict[str, int]:
    """How many of the bar's columns each segment gets: rounded down, at least one where it has tokens; free takes the rest."""
    total = max(1, sum(max(0, count) for count in tokens.values()))
    cells = {name: max(1, count * columns // total) if count > 0 else 0 for name, count in tokens.items() if name != "free"}
    while sum(cells.values()) > columns:
        cells[max(cells, key=lambda name: cells[name])] -= 1
    return {**cells, "free": columns - sum(cells.values())}


def window_view(report: ContextReport, *, coloured: bool = False) -> RenderableType:
    """The window as a bar with its legend; letters stand for the segments where there is no colour."""
    tokens = segment_tokens(report)
    bar = Text()
    for name, cells in bar_cells(tokens).items():
        style, letter = _STYLES[name]
        glyph = ("░" if name == "reserve" else "·" if name == "free" else "█") if coloured else letter
        bar.append(glyph * cells, style=style)
    rows: list[list[RenderableType]] = []
    for name, count in tokens.items():
        if name == "correction" and not count:
            continue
        style, letter = _STYLES[name]
        share = f"{100 * count / max(1, report.window_tokens):.1f} %"
        rows.append([Text("██" if coloured else letter, style=style), name, f"{count:,}", share, _what(report, name)])
    used = report.segments.used
    head = Text.assemble((safe_text(report.agent.name), "bold"), f"  {used:,} of {report.window_tokens:,} tokens used")
    on_disk = (
        f"{report.messages_out:,} of {counted(report.messages_total, 'message')} and {counted(report.passages, 'passage')}"
    )
    out = Text(f"{on_disk} out on disk", style="dim")
    return Group(head, bar, views.table("", "segment", "#tokens", "#share", "what", rows=rows), out)


def as_values(report: ContextReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "agent": report.agent.name,
        "conversation_id": str(report.conversation.id),
        "window_tokens": report.window_tokens,
        "used_tokens": report.segments.used,
        "segments": segment_tokens(report),
        "blocks": [
            {"label": b.label, "chars": len(b.value), "limit_chars": b.limit_chars, "revision": b.revision}
            for b in report.blocks
        ],
        "resident": [{"seq": m.seq, "role": m.role, "tokens": m.tokens} for m in report.resident],
        "messages_total": report.messages_total,
        "messages_out": report.messages_out,
        "passages": report.passages,
        "summary": report.conversation.summary,
    }


def _what(report: ContextReport, segment: str) -> str:
    if segment == "blocks":
        return ", ".join(safe_text(block.label) for block in report.blocks)
    if segment == "messages" and report.resident:
        return f"{counted(len(report.resident), 'message')} (#{report.resident[0].seq}–#{report.resident[-1].seq})"
    if segment == "summary" and report.conversation.summary:
        return "of what is paged out"
    return {
        "correction": "what the server counts beside these",
        "reserve": "kept free for the reply",
        "free": "until the window is full",
    }.get(segment, "")
