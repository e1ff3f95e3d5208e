"""The options of ``pagemind memory import``. What it runs is loaded when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from pagemind.cli.completion import agent_names
from pagemind.cli.launch import launch


def register(app: typer.Typer) -> None:
    """Add the command to the group ``memory``."""
    app.command("import")(import_)


def import_(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Text, Markdown, JSONL, PDF, code; or folders.")
    ],
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Into this agent's archive.", autocompletion=agent_names)
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|ID", help="Into this archive; a new name makes one. With --agent the agent searches it, too."
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for every passage; may be repeated.")] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option(min=16, max=8192, help="The longest piece, in the embedder's own tokens; 240 unless given.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="What files without a mark are written in, if not in UTF-8.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, tell what would come, store nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Store nothing if anything is refused.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put files, or the files of folders, into an archive, in pieces that are found one by one.

    A line of JSONL is an object with text (or content) and, if you like, tags, created_at, source and metadata; or a string.
    Stop it anywhere and call it again: what is there already is not stored twice.

    Examples:

      pagemind memory import notes/ --agent assistant --tag notes

      pagemind memory import facts.jsonl report.pdf --archive research --dry-run
    """
    launch(
        context,
        "memory_import:bring",
        paths=paths,
        agent=agent,
        archive=archive,
        tags=tuple(tag or ()),
        chunk_tokens=chunk_tokens,
        encoding=encoding,
        dry_run=dry_run,
        strict=strict,
        as_json=as_json,
    )
