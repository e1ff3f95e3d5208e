"""``pagemind memory``: look at an agent's memory and change it, also while a chat with it is open."""

from datetime import datetime
from typing import Annotated

import typer

from pagemind.cli.completion import agent_names
from pagemind.cli.launch import launch
from pagemind.cli.origins import Origin

app = typer.Typer(help="An agent's memory: blocks, archive, conversation.", no_args_is_help=True)

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", autocompletion=agent_names)]
Label = Annotated[str, typer.Argument(metavar="BLOCK", help="The block's label, such as human.")]
PassageId = Annotated[str, typer.Argument(metavar="PASSAGE", help="Its id, or how that begins: search --explain shows it.")]
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
    tag: Annotated[list[str] | None, typer.Option(help="Only passages with this tag, or another that is given.")] = None,
    all_tags: Annotated[list[str] | None, typer.Option(help="Only passages with this tag and the others given so.")] = None,
    after: Annotated[datetime | None, typer.Option(help="Only what is newer.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Only what is older.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="Only messages by: user, assistant, tool, ...")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only passages that came from there.")] = None,
    origin: Annotated[list[Origin] | None, typer.Option(help="Only passages that are vouched for so.")] = None,
    trust: Annotated[float, typer.Option(min=0, max=1, help="Only passages that are trusted so far.")] = 0.0,
    min_similarity: Annotated[float | None, typer.Option(min=0, max=1, help="The least cosine with the query.")] = None,
    decay: Annotated[str | None, typer.Option(metavar="KIND:TIME", help="linear:90d, half-life:30d or none.")] = None,
    diversity: Annotated[float | None, typer.Option(min=0, max=1, help="0: by score alone; 1: by difference.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each was found, and what came near.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search the archive and the conversation. How it is weighed the agent's file says, and what is given here."""
    given = {
        "limit": limit,
        "tags": tuple(tag or ()),
        "all_tags": tuple(all_tags or ()),
        "after": after,
        "before": before,
        "roles": tuple(role or ()),
        "sources": tuple(source or ()),
        "origins": tuple(each.value for each in origin or ()),
        "trust": trust,
        "min_similarity": min_similarity,
        "decay": decay,
        "diversity": diversity,
        "explain": explain,
        "as_json": as_json,
    }
    launch(context, "searches:search", agent=agent, query=query, given=given)


@app.command()
def insert(
    context: typer.Context,
    agent: AgentName,
    text: Annotated[str | None, typer.Argument(help="The text; without it, standard input, one passage a paragraph.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="From when on no search brings it.")] = None,
    review: Annotated[str | None, typer.Option(metavar="TIME", help="From when on it counts for less.")] = None,
    confidence: Annotated[float | None, typer.Option(min=0, max=1, help="How far it is trusted.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a text into the agent's archive, unless it is there. TIME is a date, or 12h, 30d, 6w, 3m, 1y from now."""
    given = {"tags": tuple(tag or ()), "expires": expires, "review": review, "confidence": confidence}
    launch(context, "memory_edits:insert", agent=agent, text=text, source=source, as_json=as_json, given=given)


@app.command()
def confirm(
    context: typer.Context,
    agent: AgentName,
    passage: PassageId,
    review: Annotated[str | None, typer.Option(metavar="TIME", help="When to ask again; without it, never.")] = None,
    confidence: Annotated[float | None, typer.Option(min=0, max=1, help="How far it is trusted from now on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Vouch for a passage: it is stated by you from now on."""
    launch(context, "memory_edits:confirm", agent=agent, passage=passage, review=review, confidence=confidence, as_json=as_json)


@app.command()
def forget(context: typer.Context, agent: AgentName, passage: PassageId, as_json: AsJson = False) -> None:
    """Take a passage out of every search. Its row stays."""
    launch(context, "memory_edits:forget", agent=agent, passage=passage, as_json=as_json)


@app.command()
def stats(context: typer.Context, agent: AgentName, as_json: AsJson = False) -> None:
    """Print how much the agent remembers, and where."""
    launch(context, "memory_views:stats", agent=agent, as_json=as_json)
