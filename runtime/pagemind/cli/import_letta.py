"""``pagemind import letta``: a file, or a server, read and brought in under a progress bar, then a report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from pagemind.api.letta.agent_file import bundle_of, digest_of, ids_of, parse
from pagemind.api.letta.live import LettaServer
from pagemind.api.letta.live_reading import agents_of, bundle_of_agent, kept_id
from pagemind.cli import views
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import one_line
from pagemind.engine.agent_files import Brought, Bundle, LeftOut, bring_in
from pagemind.engine.runtime import Runtime
from pagemind.errors import BadAgentFile, PagemindError, UsageError
from pagemind.records import Agent, Json
from pagemind.settings import Settings
from pagemind.store import bundles

AUTHOR = "person:import"
DRY = "would come"
CAME = "came"
KNOWN = "was here"
FAILED = "failed"


@dataclass(frozen=True)
class Row:
    """What became of one agent."""

    name: str
    id: UUID
    state: str
    blocks: int = 0
    tools: int = 0
    messages: int = 0
    passages: int = 0
    files: int = 0


@dataclass
class Report:
    """What became of all of them."""

    source: str
    rows: list[Row] = field(default_factory=list[Row])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])

    def add(self, bundle: Bundle, brought: Brought) -> None:
        """Note a bundle that was brought in."""
        known = set(brought.known)
        for member in bundle.members:
            state = KNOWN if member.agent.id in known else CAME
            counts = {} if len(bundle.members) > 1 else counts_of(brought)
            self.rows.append(Row(member.agent.name, member.agent.id, state, **counts))
        self.left_out += brought.left_out

    def look(self, bundle: Bundle, known: set[UUID]) -> None:
        """Note a bundle that was only read."""
        for member in bundle.members:
            standing = member.agent.id in known
            messages = 0 if standing else sum(len(talk.messages) for talk in member.talks)
            passages = sum(len(shelf.passages) for shelf in bundle.shelves if shelf.archive.id in member.archive_ids)
            counts = {
                "blocks": len(member.block_ids),
                "tools": len(bundle.tools),
                "messages": messages,
                "passages": passages,
                "files": sum(len(drawer.files) for drawer in bundle.drawers if drawer.folder.id in member.folder_ids),
            }
            self.rows.append(Row(member.agent.name, member.agent.id, KNOWN if standing else DRY, **counts))
        self.left_out += bundle.left_out

    def as_json(self) -> Json:
        """The report as JSON values."""
        return {
            "source": self.source,
            "agents": [vars(row) for row in self.rows],
            "left_out": [vars(each) for each in dict.fromkeys(self.left_out)],
        }


def counts_of(brought: Brought) -> dict[str, int]:
    """How much came with it."""
    return {
        "blocks": brought.blocks,
        "tools": brought.tools,
        "messages": brought.messages,
        "passages": brought.passages,
        "files": brought.files,
    }


async def bring(settings: Settings, *, source: str, key: str | None, only: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Bring agents in; 1 where one of them failed."""
    async with await Runtime.open(settings, work=False) as runtime:
        report = Report(source)
        if source.startswith(("http://", "https://")):
            await from_server(runtime, report, LettaServer(source, key), only, dry_run=dry_run)
        else:
            await from_file(runtime, report, Path(source), only, dry_run=dry_run)
    if as_json:
        print_json(report.as_json())
    else:
        show(report)
    return 1 if any(row.state == FAILED for row in report.rows) else 0


async def from_file(runtime: Runtime, report: Report, path: Path, only: Sequence[str], *, dry_run: bool) -> None:
    """Bring in an agent file. The same file again brings nothing new."""
    if only:
        raise UsageError("--agent is for a server; an agent file comes whole")
    try:
        data = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise BadAgentFile(f"{path}: {error.strerror or error}") from None
    origin = f"letta-file:{digest_of(data)}"
    bundle = bundle_of(parse(data), runtime.settings.tenant_id, ids=ids_of(origin), origin=origin)
    await take(runtime, report, bundle, dry_run=dry_run)


async def from_server(runtime: Runtime, report: Report, server: LettaServer, only: Sequence[str], *, dry_run: bool) -> None:
    """Bring in a server's agents, one by one: each is here whole, or not at all."""
    columns = (TextColumn("agents"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    async with server:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(f"reading {server.url}", total=None)
            states = [state async for state in agents_of(server, only)]
            known = await known_here(runtime, [kept_id(f"agent/{state['id']}") for state in states])
            progress.update(bar, total=len(states))
            for state in states:
                progress.update(bar, description=one_line(str(state["name"]), 40))
                await one_agent(runtime, report, server, state, known, dry_run=dry_run)
                progress.advance(TaskID(bar))


async def one_agent(
    runtime: Runtime, report: Report, server: LettaServer, state: Json, known: set[UUID], *, dry_run: bool
) -> None:
    """Bring in one agent; one that cannot be read does not keep the others away."""
    agent_id = kept_id(f"agent/{state['id']}")
    if agent_id in known:
        report.rows.append(Row(str(state["name"]), agent_id, KNOWN))
        return
    try:
        bundle = await bundle_of_agent(server, state, runtime.settings.tenant_id)
    except BadAgentFile as error:
        report.rows.append(Row(str(state["name"]), agent_id, FAILED))
        report.left_out.append(LeftOut(f"agent {state['name']}", str(error)))
        return
    await take(runtime, report, bundle, dry_run=dry_run)


async def take(runtime: Runtime, report: Report, bundle: Bundle, *, dry_run: bool) -> None:
    """Store a bundle, or look what of it would be stored."""
    if dry_run:
        report.look(bundle, await known_here(runtime, [member.agent.id for member in bundle.members]))
        return
    try:
        report.add(bundle, await bring_in(runtime.kernel, bundle, author=AUTHOR))
    except PagemindError as error:
        for member in bundle.members:
            report.rows.append(Row(member.agent.name, member.agent.id, FAILED))
            report.left_out.append(LeftOut(f"agent {member.agent.name}", str(error)))


async def known_here(runtime: Runtime, agent_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the agents that are here, or were."""
    async with runtime.kernel.database.transaction() as session:
        return await bundles.known(session, Agent, agent_ids)


def show(report: Report) -> None:
    """Print the report for people."""
    rows = [
        (
            one_line(row.name, 60),
            f"agent-{row.id}",
            row.state,
            *(f"{count:,}" for count in (row.blocks, row.tools, row.messages, row.passages, row.files)),
        )
        for row in report.rows
    ]
    columns = ("agent", "id", "", "#blocks", "#tools", "#messages", "#passages", "#files")
    printer().print(views.table(*columns, rows=rows) if rows else Text("There are no agents."))
    left_out = list(dict.fromkeys(report.left_out))
    if left_out:
        printer().print(Text("\nWhat could not come along:"))
    for each in left_out:
        printer().print(Text(f"  {each.what}: {each.why}"))
    if any(row.state == CAME for row in report.rows):
        printer().print(Text("\nWords find everything at once; vectors follow while `pagemind serve` or a chat runs."))
