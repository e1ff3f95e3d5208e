"""The chat on a terminal from its first line to its last."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.banner import banner
from pagemind.cli.display import TerminalScreen
from pagemind.cli.repl import Repl
from pagemind.cli.session import Session
from pagemind.cli.starting import say_local
from pagemind.engine.runtime import Runtime
from pagemind.records import Role
from pagemind.settings import Settings

EARLIER_MESSAGES = 4


async def chat(settings: Settings, *, agent: str | None, new: bool, conversation: str | None) -> int:
    """Chat on the terminal; the exit status."""
    console = Console(markup=False, highlight=False, emoji=False)
    async with await Runtime.open(settings, tell=say_local) as runtime:
        session = await Session.begin(runtime, agent=agent, new=new, conversation=conversation)
        await _first_screen(console, session)
        repl = Repl(session, TerminalScreen(color_system=None if console.no_color else console.color_system))
        status = await repl.run()
    if words := repl.left_words():
        print(words, file=sys.stderr)
    return status


async def _first_screen(console: Console, session: Session) -> None:
    first, *more = banner(session)
    console.print(Text(first, style="bold"))
    for line in more:
        console.print(Text(line, style="bold yellow" if line.startswith("DEMO") else "dim"))
    newest = await session.runtime.history(session.conversation.id, EARLIER_MESSAGES)
    earlier = [message for message in newest if message.role in (Role.user, Role.assistant) and message.content]
    if earlier:
        console.print(Text("Going on with the last conversation (/new begins another):", style="dim"))
        console.print(views.messages_view(earlier), style="dim")
    console.print()
