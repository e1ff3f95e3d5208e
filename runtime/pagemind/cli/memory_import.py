"""``pagemind memory import``: files read, cut, embedded and stored under a progress bar, then what became of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from pagemind.cli.output import print_json, printer
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.engine import bulk
from pagemind.engine.archival import Draft
from pagemind.engine.bulk import Imported, import_passages, look_over
from pagemind.engine.cutting import cutting_for
from pagemind.engine.import_files import Found, find, refuse_missing
from pagemind.engine.import_texts import Reading, known_encoding
from pagemind.engine.runtime import Runtime
from pagemind.errors import ArchiveAmbiguous, ImportRefused, NothingToImport, UsageError
from pagemind.records import Archive
from pagemind.settings import Settings
from pagemind.store import archives
from pagemind.store.keyset import Slice

REFUSALS_SHOWN = 20
IDS_SHOWN = 5


class NoArchiveNamed(UsageError):
    """It is not said where to import to. Fix: name an agent with --agent, or an archive with --archive."""

    code = "no_archive_named"


async def bring(
    settings: Settings,
    *,
    paths: Sequence[Path],
    agent: str | None,
    archive: str | None,
    tags: tuple[str, ...],
    chunk_tokens: int | None,
    encoding: str | None,
    dry_run: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Import the files and say what became of them; 1 where none could be read."""
    if agent is None and archive is None:
        raise NoArchiveNamed()
    encoding = known_encoding(encoding)
    total_bytes = await asyncio.to_thread(all_bytes, paths, settings.file_limit_bytes)
    async with await Runtime.open(settings, work=False) as runtime:
        target = await Target.find(runtime, agent, archive)
        with bar() as progress:
            task = progress.add_task("loading the embedder", total=None)
            reading = Reading(
                paths, await cutting_for(runtime.kernel.embedder, chunk_tokens), settings.file_limit_bytes, tags, encoding
            )
            if strict:
                progress.update(task, description="reading")
                await refuse_any(replace(reading, refusals=[]))
            progress.reset(task, description="looking" if dry_run else "importing", total=None)

            def told(so_far: bulk.Progress) -> None:
                total = so_far.read * max(1.0, total_bytes / max(reading.bytes, 1))
                progress.update(task, completed=so_far.done, total=total)

            done = await brought(runtime, target, reading, told, dry_run=dry_run)
            progress.update(task, completed=reading.pieces, total=reading.pieces)
    tell(reading, done, target, dry_run=dry_run, as_json=as_json)
    return 0 if reading.files else 1


async def brought(
    runtime: Runtime, target: Target, reading: Reading, told: Callable[[bulk.Progress], None], *, dry_run: bool
) -> Imported:
    """Import what is read, or look what that would store. An archive is made once there is something for it."""
    drafts = reading.drafts()
    first = await anext(drafts, None)
    if first is None:
        return Imported(0, 0, 0.0)
    if dry_run:
        return await look_over(runtime.kernel, target.archive_id, chained(first, drafts), told)
    return await import_passages(runtime.kernel, await target.make(), chained(first, drafts), told)


async def chained(first: Draft, others: AsyncIterator[Draft]) -> AsyncIterator[Draft]:
    """The first one and the others."""
    yield first
    async for draft in others:
        yield draft


def all_bytes(paths: Sequence[Path], limit_bytes: int) -> int:
    """The bytes of all files to be read. Raises ImportMissing, NothingToImport."""
    refuse_missing(paths)
    found = list(find(paths, limit_bytes))
    if not found:
        raise NothingToImport(named=", ".join(str(path) for path in paths))
    return sum(each.size_bytes for each in found if isinstance(each, Found))


async def refuse_any(reading: Reading) -> None:
    """Read everything once; ImportRefused if anything is refused."""
    async for _ in reading.drafts():
        pass
    if reading.refused:
        evidence = "; ".join(f"{each.where}: {each.why}" for each in reading.refusals[:REFUSALS_SHOWN])
        raise ImportRefused(evidence, count=f"{reading.refused:,}")


class Target:
    """The archive to import into: an agent's own, or a named one; one that is not there is made when it is needed."""

    def __init__(self, runtime: Runtime, agent: str | None, archive: str | None, archive_id: UUID | None) -> None:
        self._runtime = runtime
        self._agent = agent
        self._archive = archive
        self.archive_id = archive_id
        self.is_new = archive_id is None

    @classmethod
    async def find(cls, runtime: Runtime, agent: str | None, archive: str | None) -> Target:
        """The archive that is meant. Raises UnknownAgent, ArchiveAmbiguous."""
        found = await runtime.agent(agent) if agent is not None else None
        async with runtime.kernel.database.transaction() as session:
            if archive is not None:
                known = await named(session, archive)
            else:
                known = await archives.first_archive(session, found.id) if found else None
        return cls(runtime, agent, archive, known.id if known else None)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"the archive {self._archive}" if self._archive is not None else f"the archive of {self._agent}"

    async def make(self) -> UUID:
        """Its id; it is made, and the agent attached to it, where that is still to do."""
        found = await self._runtime.agent(self._agent) if self._agent is not None else None
        database = self._runtime.kernel.database
        async with database.transaction() as session:
            if self._archive is None and found:
                return (await archives.archive_of(session, found)).id
            if self.archive_id is None:
                made = Archive(tenant_id=database.tenant_id, name=self._archive or "")
                self.archive_id = (await archives.add(session, made)).id
            if found:
                await archives.attach(session, found, self.archive_id)
        return self.archive_id


async def named(session: archives.AsyncSession, name: str) -> Archive | None:
    """The archive of that name or id; None where there is none. ArchiveAmbiguous where several have the name."""
    try:
        return await archives.get(session, UUID(name))
    except ValueError:
        found = await archives.page(session, Slice(limit=IDS_SHOWN), name=name)
    if len(found) > 1:
        raise ArchiveAmbiguous(count=len(found), name=name, ids=", ".join(str(each.id) for each in found))
    return found[0] if found else None


# --- what is shown ----------------------------------------------------------------------------------------------------------


class Rate(ProgressColumn):
    """Passages a second since the import began."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        elapsed = task.finished_time or task.elapsed
        return Text(f"{task.completed / elapsed:,.0f}/s" if elapsed and task.completed else "")


def bar() -> Progress:
    """A progress bar on standard error: passages, passages a second, time left. The total is an estimate by bytes read."""
    passages = TextColumn("{task.completed:,.0f} passages")
    columns = (TextColumn("{task.description}"), BarColumn(), passages, Rate(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, markup=False, highlight=False))


def tell(reading: Reading, done: Imported, target: Target, *, dry_run: bool, as_json: bool) -> None:
    """Print what was refused, on standard error, and the counts."""
    if as_json:
        print_json(
            {
                "archive_id": target.archive_id,
                "dry_run": dry_run,
                "files": reading.files,
                "pieces": reading.pieces,
                "stored": 0 if dry_run else done.stored,
                "would_store": done.stored if dry_run else 0,
                "known": done.known,
                "refused": reading.refused,
                "refusals": [vars(each) for each in reading.refusals],
                "seconds": round(done.seconds, 3),
            }
        )
        return
    for each in reading.refusals[:REFUSALS_SHOWN]:
        print(f"refused {one_line(each.where, 200)}: {safe_text(each.why)}", file=sys.stderr)
    if reading.refused > REFUSALS_SHOWN:
        print(f"refused {reading.refused - REFUSALS_SHOWN:,} more", file=sys.stderr)
    printer().print(Text(closing(reading, done, target, dry_run=dry_run)))


def closing(reading: Reading, done: Imported, target: Target, *, dry_run: bool) -> str:
    """The last line: files, stored, known already, refused."""
    stored = f"{counted(done.stored, 'passage')} {'would be stored' if dry_run else 'stored'} in {one_line(target.name)}"
    made = " (new)" if target.is_new else ""
    counts = f"{done.known:,} known already, {reading.refused:,} refused"
    rate = "" if dry_run or not done.stored else f" ({done.seconds:.1f} s, {done.stored / done.seconds:,.0f}/s)"
    return f"{counted(reading.files, 'file')}: {stored}{made}, {counts}{rate}."
