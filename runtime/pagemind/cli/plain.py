"""The plain chat: each line of standard input is a message, answers are words appended to standard output."""

from __future__ import annotations

import sys
from collections import deque

from pagemind.cli import slash
from pagemind.cli.banner import banner
from pagemind.cli.between import Between
from pagemind.cli.lines import exit_status
from pagemind.cli.reading import LineReader
from pagemind.cli.screen import PlainScreen
from pagemind.cli.session import Session
from pagemind.cli.starting import say_local
from pagemind.engine.runtime import Runtime
from pagemind.errors import MessageTooLong, PagemindError
from pagemind.events import Event
from pagemind.settings import Settings


async def chat(settings: Settings, *, agent: str | None, new: bool, conversation: str | None) -> int:
    """Open the runtime and chat line by line; startup notes go to standard error."""
    async with await Runtime.open(settings, tell=say_local) as runtime:
        session = await Session.begin(runtime, agent=agent, new=new, conversation=conversation)
        print("\n".join(banner(session)), file=sys.stderr, flush=True)
        return await converse(session)


async def converse(session: Session) -> int:
    """Answer line after line until the input ends or a line says ``/quit``.

    The exit status is that of the last message that failed; 0 where none did. An error is said and the chat goes on. What
    happened to the conversation between two lines is said at the next one: nothing breaks into what is being typed.
    """
    screen = PlainScreen()
    held: deque[Event] = deque()

    async def hold(event: Event) -> None:
        held.append(event)

    between = Between(session, hold)
    status = 0
    _prompt()
    try:
        async for line in LineReader(limit_chars=session.runtime.settings.message_limit_chars).lines():
            await between.follow()
            while held:
                await screen.event(held.popleft())
            try:
                status = await _take(session, screen, line) or status
            except slash.Leave:
                break
            except PagemindError as error:
                await screen.error(error)
                status = error.exit_status
            _prompt()
    finally:
        await between.stop()
    return status


async def _take(session: Session, screen: PlainScreen, line: str | MessageTooLong) -> int:
    """Answer the line or carry out its command; the exit status. Raises Leave, PagemindError."""
    if isinstance(line, MessageTooLong):
        raise line
    if not line.strip() or await slash.dispatch(session, screen, line):
        return 0
    return await _answer(session, screen, line)


async def _answer(session: Session, screen: PlainScreen, text: str) -> int:
    ended = await session.carry(await session.accept(text), screen.event)
    return exit_status(ended)


def _prompt() -> None:
    if sys.stdin.isatty():
        sys.stdout.write("> ")
        sys.stdout.flush()
