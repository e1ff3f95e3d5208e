"""``pagemind``: the commands and their options. What they do is loaded when they are called."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.main import get_command

from pagemind import __version__
from pagemind.cli import definitions, embedders, harnesses, importing, keys, memory, memory_importing, serving
from pagemind.cli.completion import agent_names
from pagemind.cli.groups import ChatByDefault
from pagemind.cli.launch import launch
from pagemind.cli.leaving import leave
from pagemind.cli.logs import say_unexpected
from pagemind.cli.options import Flags
from pagemind.cli.places import is_plain_place
from pagemind.cli.report import report
from pagemind.errors import PagemindError

app = typer.Typer(
    cls=ChatByDefault,
    help="Agents that page their own memory. Without a command: chat.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
memory_importing.register(memory.app)
app.add_typer(memory.app, name="memory")
app.add_typer(importing.app, name="import")
app.add_typer(keys.app, name="keys")
app.add_typer(embedders.app, name="embedder")
db = typer.Typer(help="The database behind the home folder.", no_args_is_help=True)
app.add_typer(db, name="db")

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", autocompletion=agent_names)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="The folder that holds all state (PAGEMIND_HOME).", metavar="FOLDER")
    ] = None,
    reasoner: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible server's URL, or 'demo' (PAGEMIND_REASONER_URL).", metavar="URL|demo"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask for (PAGEMIND_REASONER_MODEL).")] = None,
    embedder: Annotated[str | None, typer.Option(help="The embedding model of an empty store (PAGEMIND_EMBEDDER).")] = None,
    window: Annotated[int | None, typer.Option(help="The context window in tokens (PAGEMIND_WINDOW_TOKENS).", min=512)] = None,
) -> None:
    """Take the options that every command understands, wherever they stand."""
    context.obj = Flags(home=home, reasoner_url=reasoner, reasoner_model=model, embedder=embedder, window_tokens=window)


@app.command()
def chat(
    context: typer.Context,
    agent: Annotated[str | None, typer.Argument(help="The agent's name.", autocompletion=agent_names)] = None,
    prompt: Annotated[
        str | None,
        typer.Option("-p", "--prompt", metavar="TEXT", help="Say TEXT (and standard input), print the reply, leave."),
    ] = None,
    output: Annotated[Literal["text", "json", "jsonl"], typer.Option(help="How -p prints.")] = "text",
    plain: Annotated[bool, typer.Option("--plain", help="Words only: no colour, no editing, nothing redrawn.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin a new conversation.")] = False,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="Go on with this conversation.")] = None,
    background: Annotated[
        bool, typer.Option("--background", help="With -p: go behind whatever somebody waits for, here and on the model server.")
    ] = False,
) -> None:
    """Talk with an agent. Piped standard input is read line by line, each line a message."""
    if prompt is not None:
        said = {"text": prompt, "output": output, "background": background}
        launch(context, "headless:say", agent=agent, new=new, conversation=conversation, **said)
    if background:
        raise typer.BadParameter("needs -p TEXT: somebody waits for what is typed", param_hint="--background")
    place = "plain:chat" if plain or is_plain_place() else "interactive:chat"
    launch(context, place, agent=agent, new=new, conversation=conversation)


@app.command()
def agents(context: typer.Context, as_json: AsJson = False) -> None:
    """List the agents."""
    launch(context, "listing:agents", as_json=as_json)


@app.command()
def runs(
    context: typer.Context,
    agent: Annotated[str | None, typer.Argument(help="Only this agent's.", autocompletion=agent_names)] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs."""
    launch(context, "listing:runs", agent=agent, limit=limit, as_json=as_json)


@app.command("context")
def context_(
    context: typer.Context,
    agent: AgentName,
    history: Annotated[bool, typer.Option("--history", help="Show the epochs instead: what was paged, and back.")] = False,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="This conversation, not the newest.")] = None,
    within: Annotated[int, typer.Option(min=0, help="With --history: page faults within so many turns count as soon.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the context window by segment: what is resident, what is paged out."""
    if history:
        launch(context, "window:history", agent=agent, conversation=conversation, within=within, as_json=as_json)
    launch(context, "window:context", agent=agent, conversation=conversation, as_json=as_json)


@app.command()
def metrics(context: typer.Context) -> None:
    """Print totals in the text format of Prometheus: steps, tokens, prefixes, epochs, page faults, runs."""
    launch(context, "metrics:metrics")


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check everything Pagemind needs, and say how to mend what is wrong. Exits 1 where something is."""
    launch(context, "doctor:doctor", as_json=as_json)


@db.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say where the database is, its version and its schema's."""
    launch(context, "doctor:database_status", as_json=as_json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"pagemind {__version__}")


serving.register(app)
definitions.register(app)
harnesses.register(app)


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.excepthook = say_unexpected
    leave(status_of(sys.argv[1:]))


def status_of(words: list[str]) -> int:
    """The exit status of the command line. A PagemindError is shown in one way and gives it; 130 where interrupted."""
    try:
        get_command(app).main(words, prog_name="pagemind")
    except PagemindError as error:
        return report(error, as_json="--json" in words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
    return 0


if __name__ == "__main__":
    main()
