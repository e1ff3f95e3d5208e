"""The chat's commands about agents, conversations and the reasoner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from pagemind.cli import views
from pagemind.cli.doctor import examine, findings_view
from pagemind.cli.lines import compaction_words
from pagemind.cli.screen import Screen
from pagemind.cli.session import Session
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.cli.transcript import export_files
from pagemind.errors import UnknownRecord
from pagemind.model.discover import find_reasoner
from pagemind.model.reasoner import Reasoner


async def agents(session: Session, screen: Screen, words: str) -> None:
    """``/agents [NAME]``: list them, or go on with another."""
    if not words:
        await screen.show(views.agents_table(await session.runtime.agents()))
        return
    agent = await session.runtime.agent(words)
    await session.move(agent, await session.runtime.conversation(agent))
    await screen.show(Text(f"You talk with {safe_text(agent.name)} now."))


async def new(session: Session, screen: Screen, words: str) -> None:
    """``/new``: the blocks and the archive stay, the messages begin anew."""
    await session.move(session.agent, await session.runtime.new_conversation(session.agent))
    await screen.show(Text("A new conversation. Blocks and archive are the same; /resume leads back."))


async def resume(session: Session, screen: Screen, words: str) -> None:
    """``/resume [NUMBER]``: list the conversations, or go on with one."""
    known = await session.runtime.conversations(session.agent)
    if not words:
        await screen.show(views.conversations_table(known, session.conversation))
        return
    chosen = next((one for number, one in enumerate(known, 1) if words in {str(number), str(one.id)}), None)
    if chosen is None:
        raise UnknownRecord(kind="conversation", id=words)
    await session.move(session.agent, chosen)
    await screen.show(views.messages_view(await session.runtime.history(chosen.id, 6)))


async def model(session: Session, screen: Screen, words: str) -> None:
    """``/model [URL|demo] [MODEL]``: show the reasoner, or switch it until the chat ends."""
    if words:
        place, _, name = words.partition(" ")
        wanted: dict[str, Any] = {"reasoner_model": name.strip() or None}
        if place == "demo" or "://" in place:
            wanted["reasoner_url"] = place
        else:
            wanted = {"reasoner_url": session.runtime.reasoner.url, "reasoner_model": words}
        found = await find_reasoner(session.runtime.settings.model_copy(update=wanted))
        await session.runtime.use_reasoner(found)
        await session.refresh()
    await screen.show(Text(reasoner_words(session.runtime.reasoner)))


def reasoner_words(reasoner: Reasoner) -> str:
    """The reasoner's name, model, place and window; that it is no language model where it is none."""
    if not reasoner.is_language_model:
        return "the demo reasoner: not a language model, a few rules that call the real tools"
    return f"{one_line(reasoner.model)} at {one_line(reasoner.url, 100)}, window of {reasoner.window_tokens:,} tokens"


async def compact(session: Session, screen: Screen, words: str) -> None:
    """``/compact``: page the oldest exchanges out now."""
    done = await session.runtime.compact(session.conversation.id)
    await session.refresh()
    await screen.show(
        Text(f"⇅ {compaction_words(done)}" if done else "Nothing can be paged out: the newest exchange always stays.")
    )


async def export(session: Session, screen: Screen, words: str) -> None:
    """``/export [FOLDER]``: the conversation as Markdown, the agent as YAML."""
    folder = Path(words or ".")
    for path, what in await export_files(session.runtime, session.agent, session.conversation, folder):
        await screen.show(Text(f"{what} → {path}"))


async def doctor(session: Session, screen: Screen, words: str) -> None:
    """``/doctor``."""
    findings = await examine(session.runtime.settings)
    await screen.show(findings_view(findings))
    failed = sum(finding.status == "fail" for finding in findings)
    await screen.show(Text(f"{counted(failed, 'fault')} found." if failed else "All is well."))
