"""A Syscalls in memory, the protocol's second implementation, and one way to call a shipped tool as a model would."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from pagemind.errors import BlockTaken, UnknownBlock, UnknownFile
from pagemind.memory.blocks import apply_edit
from pagemind.memory.file_view import lines_of, numbered, view_of
from pagemind.records import (
    Archived,
    Block,
    CallRequest,
    Edit,
    FileHit,
    FileMatch,
    FileMatches,
    FileRequest,
    FilesOpened,
    MessageHit,
    PassageHit,
)
from pagemind.settings import content_folder
from pagemind.toolbox.calls import CallResult, MalformedCalls, run_call, validate
from pagemind.toolbox.registry import Registry, load_tools

Calling = Callable[..., Coroutine[Any, Any, CallResult]]
NOON = datetime(2023, 5, 8, 12, tzinfo=UTC)


class SyscallsInMemory:
    """Blocks, passages and messages in lists; a search finds what shares a word with the query."""

    agent_name = "ada"

    def __init__(self, effects: list[str]) -> None:
        self.effects = effects
        self.blocks = {
            "human": Block(tenant_id=uuid4(), label="human", value="Likes tea.", limit_chars=100),
            "notes": Block(tenant_id=uuid4(), label="notes", limit_chars=20_000),
            "rules": Block(tenant_id=uuid4(), label="rules", value="Be kind.", owner="config"),
        }
        self.passages: list[PassageHit] = []
        self.messages: list[MessageHit] = []
        self.files: dict[str, str] = {}

    def now(self) -> datetime:
        return NOON

    def labels(self) -> tuple[str, ...]:
        return tuple(self.blocks)

    async def block(self, label: str) -> str:
        if label not in self.blocks:
            raise UnknownBlock(label=label, known=", ".join(self.blocks))
        return self.blocks[label].value

    async def edit_block(self, label: str, edit: Edit) -> str:
        await self.block(label)
        value = apply_edit(self.blocks[label], edit, by_agent=True)
        self.blocks[label].value = value
        return value

    async def create_block(self, label: str, value: str, description: str) -> None:
        if label in self.blocks:
            raise BlockTaken(label=label)
        self.blocks[label] = Block(tenant_id=uuid4(), label=label, value=value, description=description)

    async def remove_block(self, label: str) -> None:
        await self.block(label)
        del self.blocks[label]

    async def rename_block(self, label: str, *, to: str | None, description: str | None) -> None:
        await self.block(label)
        block = self.blocks.pop(label)
        block.description = block.description if description is None else description
        self.blocks[to or label] = block

    async def archive(self, text: str, tags: Sequence[str] = ()) -> Archived:
        hit = PassageHit(uuid4(), text, tuple(tags), f"agent:{self.agent_name}", NOON, 1.0)
        self.passages.append(hit)
        return Archived(hit.id, text)

    async def search_archive(
        self,
        query: str,
        *,
        tags: Sequence[str] = (),
        all_tags: bool = False,
        top_k: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> list[PassageHit]:
        found = [
            hit
            for hit in self.passages
            if shares_word(query, hit.text)
            and (not tags or (set(tags) <= set(hit.tags) if all_tags else set(tags) & set(hit.tags)))
            and within(hit.created_at, after, before)
        ]
        return found[:top_k]

    async def search_conversation(
        self,
        query: str,
        *,
        roles: Sequence[str] = (),
        limit: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> list[MessageHit]:
        found = [
            hit
            for hit in self.messages
            if shares_word(query, hit.content) and (not roles or hit.role in roles) and within(hit.created_at, after, before)
        ]
        return found[:limit]

    async def open_files(self, requests: Sequence[FileRequest], *, close_others: bool = False) -> FilesOpened:
        for each in requests:
            if each.name not in self.files:
                raise UnknownFile(name=each.name, known=", ".join(self.files))
        views = [
            view_of(each.name, self.files[each.name], limit_chars=200, offset=each.offset, length=each.length)
            for each in requests
        ]
        return FilesOpened(tuple(views), ("old.txt",) if close_others else ())

    async def grep_files(
        self, pattern: str, *, include: str | None = None, context_lines: int = 1, offset: int = 0
    ) -> FileMatches:
        found = [
            FileMatch(name, number, numbered(lines_of(text), number - context_lines, number + context_lines, number, 80))
            for name, text in self.files.items()
            for number, line in enumerate(lines_of(text), start=1)
            if pattern in line and (not include or include in name)
        ]
        by_file = Counter(match.name for match in found)
        return FileMatches(len(found), tuple(by_file.items()), tuple(found[offset : offset + 20]))

    async def search_files(self, query: str, *, limit: int = 5) -> list[FileHit]:
        found = [
            FileHit(name, line, number, number, "", 1.0)
            for name, text in self.files.items()
            for number, line in enumerate(lines_of(text), start=1)
            if shares_word(query, line)
        ]
        return found[:limit]

    async def tell_agent(self, agent_id: str, message: str, *, key: str, wait: bool) -> str:
        return f"{agent_id} heard {message}" if wait else ""

    async def tell_agents(self, all_tags: Sequence[str], some_tags: Sequence[str], message: str, *, key: str) -> str:
        return f"{', '.join([*all_tags, *some_tags])} heard {message}"

    def note_effect(self, words: str) -> None:
        self.effects.append(words)


def shares_word(query: str, text: str) -> bool:
    return bool(set(query.lower().split()) & set(text.lower().strip(".").split()))


def within(moment: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or after <= moment) and (before is None or moment < before)


@pytest.fixture
def effects() -> list[str]:
    """What the tools said for people."""
    return []


@pytest.fixture
def system(effects: list[str]) -> SyscallsInMemory:
    return SyscallsInMemory(effects)


@pytest.fixture
def messages(system: SyscallsInMemory) -> list[MessageHit]:
    """The conversation that is searched; tests add to it."""
    return system.messages


@pytest.fixture(scope="session")
def shipped() -> Registry:
    return load_tools([content_folder() / "tools"])


@pytest.fixture
def call(system: SyscallsInMemory, shipped: Registry) -> Calling:
    """Call a shipped tool by its name with the given arguments, from JSON text to result."""

    async def calling(name: str, **arguments: object) -> CallResult:
        checked = validate([CallRequest("1", name, json.dumps(arguments))], shipped, list(shipped))
        assert not isinstance(checked, MalformedCalls), checked.reason
        return await run_call(checked[0], system, key="", timeout_seconds=5, limit_chars=20_000)

    return calling
