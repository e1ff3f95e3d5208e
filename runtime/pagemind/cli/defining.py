"""What ``pagemind plan | apply | diff | validate | export`` do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.text import Text

from pagemind.cli.output import print_json, printer
from pagemind.cli.plan_views import diff_lines, plan_json, plan_lines
from pagemind.cli.report import report
from pagemind.cli.text import counted, safe_text
from pagemind.definitions.export import definition_of, to_yaml
from pagemind.definitions.loader import SUFFIXES, Source, load
from pagemind.definitions.planner import Plan
from pagemind.definitions.problems import InvalidDefinition
from pagemind.definitions.schema import as_json as definition_json
from pagemind.definitions.schema import json_schema_text
from pagemind.engine import apply as engine
from pagemind.errors import PagemindError
from pagemind.settings import Settings, environment
from pagemind.store.database import Database
from pagemind.toolbox.registry import load_tools

CLEAN, FAILED, CHANGES = 0, 1, 2


async def plan(settings: Settings, *, files: Sequence[Path], prune: bool, as_json: bool) -> int:
    """Show what an apply would change."""
    with _told(as_json=as_json) as status:
        plans = await _planned(settings, files, prune=prune)
        if as_json:
            print_json(plan_json(plans))
        else:
            _show(plans)
        status.code = _status(plans)
    return status.code


async def diff(settings: Settings, *, files: Sequence[Path], prune: bool, as_json: bool) -> int:
    """Show what an apply would change, line by line."""
    with _told(as_json=as_json) as status:
        plans = await _planned(settings, files, prune=prune)
        if as_json:
            print_json({"clean": all(one.is_clean for one in plans), "diff": [line.plain for line in diff_lines(plans)]})
        else:
            for line in diff_lines(plans):
                printer().print(line, soft_wrap=True)
        status.code = _status(plans)
    return status.code


async def apply(settings: Settings, *, files: Sequence[Path], yes: bool, prune: bool, as_json: bool) -> int:
    """Apply the files; on a terminal only after a yes."""
    with _told(as_json=as_json) as status:
        sources = _sources(settings, files)
        async with Database.opened(settings) as database:
            ask = not yes and not as_json and sys.stdin.isatty()
            if ask and not _agreed(await engine.plan_all(database, sources, prune=prune)):
                return FAILED
            plans = await engine.apply(database, sources, prune=prune)
        if as_json:
            print_json(plan_json(plans))
        elif not ask:
            _show(plans, done=True)
        elif _status(plans) == CHANGES:
            printer().print("Applied.")
        status.code = CLEAN
    return status.code


async def validate(settings: Settings, *, files: Sequence[Path], schema: bool, as_json: bool) -> int:
    """Check the files; no database is opened."""
    if schema:
        sys.stdout.write(json_schema_text())
        return CLEAN
    with _told(as_json=as_json) as status:
        sources = _sources(settings, files)
        if as_json:
            print_json({"valid": [{"file": str(one.path), "agent": one.definition.name} for one in sources], "problems": []})
        else:
            for source in sources:
                printer().print(Text(safe_text(f"{source.path}: agent {source.definition.name!r} is valid")), soft_wrap=True)
        status.code = CLEAN
    return status.code


async def export(settings: Settings, *, agent: str, output: Path | None, as_json: bool) -> int:
    """Write an agent as a file."""
    async with Database.opened(settings) as database:
        definition = definition_of(await engine.read_agent(database, agent))
    if output is not None:
        await asyncio.to_thread(output.write_text, to_yaml(definition), encoding="utf-8")
    elif as_json:
        print_json(definition_json(definition))
    else:
        sys.stdout.write(to_yaml(definition))
    return CLEAN


class _Status:
    """How the command leaves: failed, until it says otherwise."""

    code = FAILED


@contextmanager
def _told(*, as_json: bool) -> Generator[_Status]:
    """Show an error of the work inside, each problem of a definition on its own line; 2 stays the word for changes."""
    try:
        status = _Status()
        yield status
    except InvalidDefinition as invalid:
        if as_json:
            print_json({"error": invalid.as_dict(), "problems": [problem.as_dict() for problem in invalid.problems]})
        else:
            sys.stderr.write("".join(f"{safe_text(str(problem))}\n" for problem in invalid.problems))
    except PagemindError as error:
        report(error, as_json=as_json)


async def _planned(settings: Settings, files: Sequence[Path], *, prune: bool) -> list[Plan]:
    sources = _sources(settings, files)
    async with Database.opened(settings) as database:
        return await engine.plan_all(database, sources, prune=prune)


def _sources(settings: Settings, files: Sequence[Path]) -> list[Source]:
    """The definitions; a warning goes to standard error for each tool that is not there (yet)."""
    sources = load(files or [_default_folder(settings)], environment())
    tools = load_tools([settings.content_folder / "tools", settings.home / "tools"])
    for problem in (problem for source in sources for problem in source.unknown_tools(list(tools))):
        where, _, what = str(problem).partition(": ")
        sys.stderr.write(safe_text(f"{where}: warning: {what}") + "\n")
    return sources


def _default_folder(settings: Settings) -> Path:
    """``./agents`` where it holds definitions, else the shipped ones."""
    here = Path("agents")
    if here.is_dir() and any(file.suffix in SUFFIXES for file in here.iterdir()):
        return here
    return settings.content_folder / "agents"


def _status(plans: Sequence[Plan]) -> int:
    return CLEAN if all(one.is_clean for one in plans) else CHANGES


def _show(plans: Sequence[Plan], *, done: bool = False) -> None:
    for line in plan_lines(plans, done=done):
        printer().print(line, soft_wrap=True)


def _agreed(plans: Sequence[Plan]) -> bool:
    """Show the plan and ask; nothing is asked where nothing would change."""
    _show(plans)
    changes = sum(change.action != "keep" for one in plans for change in one.changes)
    if not changes or typer.confirm(f"Apply {counted(changes, 'change')}?"):
        return True
    sys.stderr.write("Nothing was applied.\n")
    return False
