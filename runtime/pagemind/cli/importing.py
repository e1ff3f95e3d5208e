"""The option lists of ``pagemind import``. What they run is loaded when it is called."""

from typing import Annotated

import typer

from pagemind.cli.launch import launch

app = typer.Typer(help="Bring agents in from elsewhere.", no_args_is_help=True)


@app.callback()
def importing() -> None:
    """Bring agents in from elsewhere."""


@app.command()
def letta(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="An agent file (.af), or the URL of a Letta server.")],
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", envvar="LETTA_API_KEY", help="The server's password, or a key.", show_default=False),
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", metavar="NAME|ID", help="Only this agent; may be given several times.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, tell what would come, store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring in agents of Letta: from an agent file, or whole from a server that runs.

    Blocks (shared ones stay shared), messages, passages, archives, tools with their source, tags and rules come along; from a
    server with the ids that they have there. Stop it anywhere and call it again: what is here already stays as it is, and
    nothing comes twice. At the end it says what could not come along, and why.

    Examples:

      pagemind import letta agent.af

      pagemind import letta http://localhost:8283 --dry-run
    """
    launch(context, "import_letta:bring", source=source, key=key, only=agent or [], dry_run=dry_run, as_json=as_json)
