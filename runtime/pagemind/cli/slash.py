"""The chat's ``/commands``: the registry, how one is found and called, and how one is completed."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from pagemind.cli import slash_memory, slash_talk, views
from pagemind.cli.screen import Screen
from pagemind.cli.session import Session
from pagemind.cli.text import one_line
from pagemind.errors import UsageError

Handler = Callable[[Session, Screen, str], Awaitable[None]]
Names = Callable[[Session], Sequence[str]]


class Leave(Exception):
    """The person asked to leave the chat."""


class UnknownCommand(UsageError):
    """There is no command {name}. Fix: {advice}"""

    code = "unknown_command"


@dataclass(frozen=True)
class SlashCommand:
    """A command of the chat. ``words`` shows what may follow the name; ``names`` completes it."""

    name: str
    words: str
    help: str
    handler: Handler
    names: Names | None = None


async def show_help(session: Session, screen: Screen, words: str) -> None:
    """``/help``: the commands, and the keys where there is a keyboard."""
    rows = [(Text(f"/{one.name} {one.words}", style="bold"), one.help) for one in COMMANDS.values()]
    await screen.show(views.table("command", "what it does", rows=rows))
    if screen.keys:
        await screen.show(Text(screen.keys, style="dim"))


async def leave(session: Session, screen: Screen, words: str) -> None:
    """``/quit``."""
    raise Leave


def _agents(session: Session) -> Sequence[str]:
    return [agent.name for agent in session.agents]


def _labels(session: Session) -> Sequence[str]:
    return session.labels


def _looks(session: Session) -> Sequence[str]:
    return ["history"]


_ALL = (
    SlashCommand("help", "", "what can be done here", show_help),
    SlashCommand("agents", "[NAME]", "list the agents, or go on with another", slash_talk.agents, _agents),
    SlashCommand("new", "", "begin a new conversation", slash_talk.new),
    SlashCommand("resume", "[NUMBER]", "list the conversations, or go on with one", slash_talk.resume),
    SlashCommand("model", "[URL|demo] [MODEL]", "show the reasoner, or switch it for this session", slash_talk.model),
    SlashCommand("memory", "[BLOCK]", "what stands in the agent's blocks", slash_memory.memory, _labels),
    SlashCommand("edit", "BLOCK [TEXT]", "change a block in your editor, or add a line to it", slash_memory.edit, _labels),
    SlashCommand(
        "history", "[BLOCK]", "a block's revisions with authors; without BLOCK, what was said", slash_memory.history, _labels
    ),
    SlashCommand("undo", "BLOCK", "take back a block's last change", slash_memory.undo, _labels),
    SlashCommand("context", "[history]", "the context window by segment, or its epochs", slash_memory.context, _looks),
    SlashCommand("search", "QUERY", "search archive and conversation", slash_memory.search),
    SlashCommand("why", "", "what the newest reply looked up, how it was found, and what came near", slash_memory.why),
    SlashCommand("compact", "", "page the oldest messages out now", slash_talk.compact),
    SlashCommand("export", "[FOLDER]", "write the conversation as Markdown and the agent as YAML", slash_talk.export),
    SlashCommand("doctor", "", "check everything and say how to mend it", slash_talk.doctor),
    SlashCommand("quit", "", "leave; everything is kept", leave),
)
COMMANDS = {one.name: one for one in _ALL}


async def dispatch(session: Session, screen: Screen, line: str) -> bool:
    """Carry out the line if it is a command; False where it is a message: a path such as ``/etc/hosts`` is none.

    UnknownCommand where it looks like one and is not; Leave for ``/quit``; what the command raises.
    """
    name, _, words = line.rstrip().partition(" ")
    if not name.startswith("/") or "/" in name[1:] or "\n" in name or name == "/":
        return False
    found = COMMANDS.get(name[1:])
    if found is None:
        near = difflib.get_close_matches(name[1:], COMMANDS, n=1)
        advice = f"did you mean /{near[0]}? " if near else ""
        raise UnknownCommand(
            name=one_line(name, 30), advice=f"{advice}/help lists them; begin with a space to send it as a message."
        )
    await found.handler(session, screen, words.strip())
    return True


def completions(session: Session, text: str) -> list[tuple[str, str, int]]:
    """What may stand at the end of ``text``: the word, what it means, and how many characters of it are typed already."""
    if not text.startswith("/") or "\n" in text:
        return []
    name, space, words = text[1:].partition(" ")
    if not space:
        return [(f"/{known}", one.help, len(text)) for known, one in COMMANDS.items() if known.startswith(name)]
    found = COMMANDS.get(name)
    if found is None or found.names is None or " " in words:
        return []
    return [(word, "", len(words)) for word in found.names(session) if word.startswith(words)]
