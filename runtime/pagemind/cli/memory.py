"""``pagemind memory``: look at an agent's memory and change it, also while a chat with it is open."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pagemind.cli.completion import agent_names
from pagemind.cli.launch import launch

app = typer.Typer(help="An agent's memory: blocks, archive, conversation.", no_args_is_help=True)

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", autocompletion=agent_names)]
Label = Annotated[str, typer.Argument(metavar="BLOCK", help="The block's label, such as human.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def blocks(context: typer.Context, agent: AgentName, as_json: AsJson = False) -> None:
    """Print the blocks that stand in the agent's window."""
    launch(context, "memory_views:blocks", agent=agent, as_json=as_json)


@app.command()
def edit(
    context: typer.Context,
    agent: AgentName,
    label: Label,
    append: Annotated[str | None, typer.Option(metavar="TEXT", help="Add a line at the end.")] = None,
    replace: Annotated[tuple[str, str] | None, typer.Option(metavar="OLD NEW", help="Put NEW in the place of OLD.")] = None,
    whole: Annotated[str | None, typer.Option("--set", metavar="TEXT", help="Replace the whole value.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a block; without an option, in $EDITOR. The agent is told before its next message."""
    launch(context, "memory_edits:edit", agent=agent, label=label, append=append, replace=replace, whole=whole, as_json=as_json)


@app.command()
def history(context: typer.Context, agent: AgentName, label: Label, as_json: AsJson = False) -> None:
    """Print a block's revisions, newest first: who changed what, when."""
    launch(context, "memory_views:history", agent=agent, label=label, as_json=as_json)


@app.command()
def undo(context: typer.Context, agent: AgentName, label: Label, as_json: AsJson = False) -> None:
    """Put a block back to the value it had before its last change. The history keeps both."""
    launch(context, "memory_edits:undo", agent=agent, label=label, as_json=as_json)


@app.command()
def search(
    context: typer.Context,
    agent: AgentName,
    query: Annotated[str, typer.Argument(help="Words, a question, or #12 or #12-#20 for messages by number.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many of each kind.")] = 10,
    tag: Annotated[list[str] | None, typer.Option(help="Only passages with this tag; may be repeated.")] = None,
    after: Annotated[datetime | None, typer.Option(help="Only what is newer.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Only what is older.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search the archive and the conversation, and say how each hit scored."""
    launch(
        context,
        "memory_views:search",
        agent=agent,
        query=query,
        limit=limit,
        tags=tuple(tag or ()),
        after=after,
        before=before,
        as_json=as_json,
    )


@app.command()
def insert(
    context: typer.Context,
    agent: AgentName,
    text: Annotated[str | None, typer.Argument(help="The text; without it, standard input, one passage a paragraph.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a text into the agent's archive."""
    launch(context, "memory_edits:insert", agent=agent, text=text, tags=tuple(tag or ()), source=source, as_json=as_json)


@app.command("import")
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
        int | None, typer.Option(min=16, max=8192, help="The longest piece, in the embedder's own tokens. [default: 240]")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="What files without a mark are written in, not UTF-8.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, tell what would come, store nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Store nothing if anything is refused.")] = False,
    as_json: AsJson = False,
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


@app.command()
def stats(context: typer.Context, agent: AgentName, as_json: AsJson = False) -> None:
    """Print how much the agent remembers, and where."""
    launch(context, "memory_views:stats", agent=agent, as_json=as_json)
