"""Agents brought in from outside whole, and taken out whole: what an agent file, or another server, holds of them.

A front (``api.letta.agent_file``, ``pagemind import``) makes a ``Bundle`` out of its format, with records that have their ids
but need not be stored, and calls ``bring_in``: one transaction, either everything is there afterwards or nothing. What is there
already under its id stays as it is, so that the same bundle brought in twice is there once. ``taken_out`` reads an agent into a
bundle, from which a front writes its format.

Of a member's talks the first is the main conversation. Messages come in the order of the history, without ``seq`` and
``tokens``, which are given here; so is what of them stands in the window: at most its low watermark, the rest is paged out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.engine.agents import Belongings, make
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import policy_of
from pagemind.memory.compiler import as_prompts, paused
from pagemind.memory.pager import exchanges
from pagemind.model.tokens import estimate
from pagemind.records import (
    Agent,
    Archive,
    Block,
    Conversation,
    File,
    Folder,
    Identity,
    Message,
    Passage,
    Role,
    StoredTool,
)
from pagemind.store import (
    agent_tools,
    agents,
    archives,
    block_lists,
    blocks,
    bundles,
    conversations,
    files,
    folders,
    identities,
    inserts,
    messages,
    passages,
)
from pagemind.store.keyset import Slice

PAGED_OUT = "Earlier messages, from before the agent was moved here."
"""The summary of what is paged out at once, where none came along."""
BUILT_IN = "a built-in tool has that name; the agent calls that one"
PAGE = 5_000


@dataclass(frozen=True)
class Talk:
    """A conversation and its messages; the first ``out`` of them were out of the window where it came from."""

    conversation: Conversation
    messages: Sequence[Message] = ()
    out: int = 0


@dataclass(frozen=True)
class Shelf:
    """An archive and its passages."""

    archive: Archive
    passages: Sequence[Passage] = ()


@dataclass(frozen=True)
class Drawer:
    """A folder and its files, which are text that waits to be taken in."""

    folder: Folder
    files: Sequence[File] = ()


@dataclass(frozen=True)
class Member:
    """An agent and what is its own, or shared, by ids of the same bundle (or of what is there already)."""

    agent: Agent
    block_ids: Sequence[UUID] = ()
    archive_ids: Sequence[UUID] = ()
    folder_ids: Sequence[UUID] = ()
    identity_ids: Sequence[UUID] = ()
    talks: Sequence[Talk] = ()


@dataclass(frozen=True)
class LeftOut:
    """Something that does not come along, and why, in words for people."""

    what: str
    why: str


@dataclass(frozen=True)
class Bundle:
    """Agents with everything that they need."""

    members: Sequence[Member] = ()
    blocks: Sequence[Block] = ()
    tools: Sequence[StoredTool] = ()
    shelves: Sequence[Shelf] = ()
    drawers: Sequence[Drawer] = ()
    identities: Sequence[Identity] = ()
    left_out: Sequence[LeftOut] = ()
    """What its maker had to leave out."""


@dataclass(frozen=True)
class Brought:
    """What ``bring_in`` stored: agents in the bundle's order; and the ids of those that were there already."""

    agents: Sequence[Agent]
    known: Sequence[UUID] = ()
    blocks: int = 0
    tools: int = 0
    messages: int = 0
    passages: int = 0
    files: int = 0
    left_out: Sequence[LeftOut] = field(default_factory=list[LeftOut])


async def bring_in(kernel: Kernel, bundle: Bundle, *, author: str, override_tools: bool = False) -> Brought:
    """Store a bundle. Vectors follow (``Runtime.index_soon``).

    Stored tools keep their source where one of the same name is there, unless ``override_tools``. Raises LabelTaken,
    UnknownRecord.
    """
    members = await settled(kernel, bundle.members)
    async with kernel.database.transaction() as session:
        known = await bundles.known(session, Agent, [member.agent.id for member in members])
        fresh = [member for member in members if member.agent.id not in known]
        own_tools = [tool for tool in bundle.tools if tool.name not in kernel.registry]
        tools, left_out = await keep_tools(session, own_tools, override=override_tools)
        left_out += [LeftOut(f"tool {tool.name}", BUILT_IN) for tool in bundle.tools if tool.name in kernel.registry]
        standing = await bundles.known(session, Block, [block.id for block in bundle.blocks])
        new_blocks = [block for block in bundle.blocks if block.id not in standing]
        await blocks.add(session, new_blocks, author=author)
        stored = await keep_shelves(session, bundle.shelves)
        filed, too_large = await keep_drawers(session, bundle.drawers, kernel.settings.file_limit_bytes)
        left_out += too_large
        people = await keep_identities(session, bundle.identities)
        names = {*kernel.registry, *(await bundles.tool_names(session))}
        for member in fresh:
            left_out += lacking_tools(member.agent, names)
            await keep_member(session, member, people, author=author)
    return Brought(
        agents=[member.agent for member in fresh],
        known=sorted(known),
        blocks=len(new_blocks),
        tools=tools,
        messages=sum(len(talk.messages) for member in fresh for talk in member.talks),
        passages=stored,
        files=filed,
        left_out=[*bundle.left_out, *left_out],
    )


async def keep_member(session: AsyncSession, member: Member, people: Mapping[UUID, UUID], *, author: str) -> None:
    """Store a new agent with its conversations. What it shared and was deleted here meanwhile, it goes without."""
    in_force = await block_lists.some(session, member.block_ids) if member.block_ids else {}
    shelves = await bundles.archives_in_force(session, member.archive_ids)
    belongings = Belongings(
        block_ids=[each for each in member.block_ids if each in in_force],
        archive_ids=[each for each in member.archive_ids if each in shelves],
        folder_ids=sorted(await bundles.known(session, Folder, member.folder_ids)),
        identity_ids=[people[each] for each in member.identity_ids if each in people],
    )
    main = await make(session, member.agent, belongings, author=author)
    for place, talk in enumerate(member.talks):
        if place == 0:
            await bundles.take_over(session, main, talk.conversation)
        conversation = main if place == 0 else await conversations.add(session, talk.conversation)
        for message in talk.messages:
            message.conversation_id = conversation.id
        await bundles.add_messages(session, talk.messages)


async def keep_tools(session: AsyncSession, tools: Sequence[StoredTool], *, override: bool) -> tuple[int, list[LeftOut]]:
    """Store the tools whose names are free; how many, and those that gave way to another of the same name."""
    standing = await agent_tools.named(session, [tool.name for tool in tools])
    kept, left_out = 0, list[LeftOut]()
    for tool in tools:
        before = standing.get(tool.name)
        if before is None:
            session.add(tool)
            kept += 1
        elif before.source != tool.source and override:
            before.source, before.parameters, before.description = tool.source, tool.parameters, tool.description
            kept += 1
        elif before.source != tool.source:
            left_out.append(LeftOut(f"tool {tool.name}", "another tool of that name is here; it stays, and the agent calls it"))
    await session.flush()
    return kept, left_out


async def keep_shelves(session: AsyncSession, shelves: Sequence[Shelf]) -> int:
    """Store archives and those of their passages that are not there yet; how many passages."""
    standing = await bundles.known(session, Archive, [shelf.archive.id for shelf in shelves])
    count = 0
    for shelf in shelves:
        if shelf.archive.id not in standing:
            await archives.add(session, shelf.archive)
        there = await bundles.known(session, Passage, [passage.id for passage in shelf.passages])
        new = [passage for passage in shelf.passages if passage.id not in there]
        for first in range(0, len(new), PAGE):
            some = new[first : first + PAGE]
            await inserts.insert_many(session, shelf.archive.tenant_id, shelf.archive.id, some)
        count += len(new)
    return count


async def keep_drawers(session: AsyncSession, drawers: Sequence[Drawer], limit_bytes: int) -> tuple[int, list[LeftOut]]:
    """Store folders and those of their files that are not there yet; how many files, and those that are too large."""
    standing = await bundles.known(session, Folder, [drawer.folder.id for drawer in drawers])
    count, left_out = 0, list[LeftOut]()
    for drawer in drawers:
        folder = drawer.folder
        if folder.id not in standing:
            if await folders.by_name(session, folder.name):
                folder.name = f"{folder.name} {str(folder.id)[:8]}"
            await folders.add(session, folder)
        there = await bundles.known(session, File, [file.id for file in drawer.files])
        taken = await files.names(session, folder.id)
        for file in drawer.files:
            if file.id in there or file.name in taken:
                continue
            if file.size_bytes > limit_bytes:
                left_out.append(LeftOut(f"file {file.name} of folder {folder.name}", f"it has more than {limit_bytes:,} bytes"))
                continue
            await files.add(session, file)
            taken[file.name] = file.id
            count += 1
    return count, left_out


async def keep_identities(session: AsyncSession, given: Sequence[Identity]) -> dict[UUID, UUID]:
    """Store the identities whose identifier nobody has; the id of each here, by its id in the bundle."""
    here: dict[UUID, UUID] = {}
    for identity in given:
        known = await identities.named(session, identity.identifier)
        if known is None:
            session.add(identity)
            await session.flush()
        here[identity.id] = (known or identity).id
    return here


def lacking_tools(agent: Agent, names: set[str]) -> list[LeftOut]:
    """Take the tools that are not here off the agent's list."""
    lacking = [name for name in agent.tools if name not in names]
    agent.tools = [name for name in agent.tools if name in names]
    return [LeftOut(f"tool {name} of agent {agent.name}", "there is no tool of that name here") for name in lacking]


# --- what stands in the window -------------------------------------------------------------------------------------------


async def settled(kernel: Kernel, members: Sequence[Member]) -> list[Member]:
    """The members with their messages counted and placed. Nothing is stored."""
    seen: set[UUID] = set()
    for member in members:
        for talk in member.talks:
            for message in talk.messages:
                # Forks of a conversation share messages where they came from.
                message.id = message.id if message.id not in seen else uuid4()
                seen.add(message.id)
    return [replace(member, talks=[await placed(kernel, member.agent, talk) for talk in member.talks]) for member in members]


async def placed(kernel: Kernel, agent: Agent, talk: Talk) -> Talk:
    """The talk with ``seq`` and tokens of its messages, and where its window begins: at a whole exchange."""
    own = await kernel.for_agent(agent)
    room = policy_of(agent, own.reasoner).budget.low
    before = None
    for seq, message in enumerate(talk.messages, start=1):
        message.seq, message.tokens = seq, estimate(message.content) + estimate(str(message.calls or ""))
        message.stamped = message.role == Role.user and paused(before, message)
        before = message.created_at
    begins = len(talk.messages) + 1
    for exchange in reversed(exchanges(talk.messages[talk.out :])):
        spoken = [message for message in exchange if message.role != Role.approval]
        for message in spoken:
            message.tokens = await own.count_added(*as_prompts(message))
        room -= sum(message.tokens for message in spoken)
        if room < 0:
            break
        begins = exchange[0].seq or 1
    conversation = talk.conversation
    conversation.next_seq, conversation.resident_from = len(talk.messages) + 1, begins
    conversation.turns = sum(message.role == Role.user for message in talk.messages)
    conversation.paged_out = begins - 1
    if begins > 1:
        conversation.summary = conversation.summary or PAGED_OUT
        conversation.summary_tokens = await own.count(conversation.summary)
    return talk


# --- out -----------------------------------------------------------------------------------------------------------------


async def taken_out(session: AsyncSession, agent_id: UUID, *, conversation_id: UUID | None = None) -> Bundle:
    """The agent with its blocks, stored tools, archives and one conversation: its main one unless named.

    Raises UnknownAgent, UnknownRecord.
    """
    agent = await agents.get(session, agent_id)
    if conversation_id is None:
        conversation = await conversations.main_of(session, agent)
    else:
        conversation = await conversations.get(session, conversation_id)
    history = await whole(session, conversation)
    standing = await blocks.of_agent(session, agent.id)
    shelves = [Shelf(archive, await every(session, archive)) for archive in await bundles.archives_of(session, agent.id)]
    talk = Talk(conversation, history, out=sum((each.seq or 0) < conversation.resident_from for each in history))
    member = Member(agent, [block.id for block in standing], [shelf.archive.id for shelf in shelves], talks=[talk])
    tools = await agent_tools.named(session, agent.tools)
    return Bundle(members=[member], blocks=standing, tools=list(tools.values()), shelves=shelves)


async def whole(session: AsyncSession, conversation: Conversation) -> list[Message]:
    """The conversation's history from its beginning."""
    found = list[Message]()
    while page := await messages.history(session, conversation.id, after_seq=found[-1].seq or 0 if found else 0, limit=PAGE):
        found += page
    return found


async def every(session: AsyncSession, archive: Archive) -> list[Passage]:
    """The archive's passages that are in force, the oldest first."""
    found = list[Passage]()
    while page := await passages.page(
        session, Slice(PAGE, after=found[-1].id if found else None, descending=False), archive_id=archive.id
    ):
        found += page
    return found
