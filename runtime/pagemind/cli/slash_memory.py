"""The chat's commands about memory."""

from __future__ import annotations

from rich.text import Text

from pagemind.cli import views
from pagemind.cli.epochs import history_view
from pagemind.cli.explaining import searches_view
from pagemind.cli.memory_edits import edit_words
from pagemind.cli.screen import Screen
from pagemind.cli.session import Session
from pagemind.cli.window import window_view
from pagemind.errors import UsageError
from pagemind.records.edits import Append, Edit, Rewrite

HISTORY_MESSAGES = 30


class WordMissing(UsageError):
    """The command needs {what}. Fix: {example}"""

    code = "word_missing"


async def memory(session: Session, screen: Screen, words: str) -> None:
    """``/memory [BLOCK]``: the blocks, or one of them."""
    blocks = await session.runtime.memory.blocks(session.agent)
    if words:
        wanted = await session.block(words)
        blocks = [block for block in blocks if block.id == wanted.id]
    await screen.show(views.blocks_view(blocks))


async def edit(session: Session, screen: Screen, words: str) -> None:
    """``/edit BLOCK [TEXT]``: add the line, or open the editor."""
    label, _, text = words.partition(" ")
    if not label:
        raise WordMissing(what="a block", example="/edit human, or /edit human Likes short answers.")
    block = await session.block(label)
    change: Edit
    if text.strip():
        change = Append(text.strip())
    else:
        edited = await screen.edit(block.value)
        if edited is None:
            await screen.show(Text("Nothing was changed.", style="dim"))
            return
        change = Rewrite(edited)
    changed = await session.runtime.memory.edit(session.agent, label, change, author=session.author)
    await screen.show(edit_words(block, changed))


async def history(session: Session, screen: Screen, words: str) -> None:
    """``/history [BLOCK]``: a block's revisions, or the newest messages."""
    if words:
        await session.block(words)
        await screen.show(views.history_view(await session.runtime.memory.history(session.agent, words)))
    else:
        await screen.show(views.messages_view(await session.runtime.history(session.conversation.id, HISTORY_MESSAGES)))


async def undo(session: Session, screen: Screen, words: str) -> None:
    """``/undo BLOCK``."""
    if not words:
        raise WordMissing(what="a block", example="/undo human")
    before = await session.block(words)
    after = await session.runtime.memory.undo(session.agent, words, author=session.author)
    await screen.show(edit_words(before, after))


async def context(session: Session, screen: Screen, words: str) -> None:
    """``/context [history]``: the window as a bar, or the conversation's epochs."""
    if words == "history":
        report = await session.runtime.paging(session.conversation.id)
        await screen.show(history_view(report, coloured=screen.coloured))
        return
    if words:
        raise WordMissing(what="no other word than 'history'", example="/context, or /context history")
    await screen.show(window_view(await session.runtime.context(session.conversation.id), coloured=screen.coloured))


async def search(session: Session, screen: Screen, words: str) -> None:
    """``/search QUERY``: both stores, with scores."""
    if not words:
        raise WordMissing(what="a query", example="/search the trip to Porto, or /search #12-#20")
    await screen.show(views.passages_table(await session.runtime.memory.search_archive(session.agent, words)))
    await screen.show(views.messages_table(await session.runtime.memory.search_conversation(session.conversation.id, words)))


async def why(session: Session, screen: Screen, words: str) -> None:
    """``/why``: what the searches of the newest reply found, why, and what came near."""
    await screen.show(searches_view(await session.runtime.last_searches(session.conversation.id)))
