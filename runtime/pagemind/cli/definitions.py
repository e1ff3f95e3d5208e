"""``pagemind plan | apply | diff | validate | export``: agents as files."""

from pathlib import Path
from typing import Annotated

import typer

from pagemind.cli.comparing import ComparingCommand
from pagemind.cli.completion import agent_names
from pagemind.cli.launch import launch

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILES]", help="Files or folders of them; left out: ./agents, else the shipped ones."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Prune = Annotated[bool, typer.Option("--prune", help="Also detach blocks that the file does not name; their history is kept.")]

PANEL = "Agents as files"


def plan(context: typer.Context, files: Files = None, prune: Prune = False, as_json: AsJson = False) -> None:
    """Show what an apply would change. Exits 0 where nothing would, 2 where something would, 1 on an error.

    Each field is compared three ways: as last applied, as it is now, as the file wants it. What was changed elsewhere since
    and not in the file is kept, and said so. The value of a block that the agent owns is never touched.

    Examples:

      pagemind plan agents/assistant.yaml

      pagemind plan agents/ --json | jq .clean
    """
    launch(context, "defining:plan", files=files or [], prune=prune, as_json=as_json)


def apply(
    context: typer.Context,
    files: Files = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    prune: Prune = False,
    as_json: AsJson = False,
) -> None:
    """Make the agents what their files say: all of them or, on any error, none. A second apply says "No changes."

    On a terminal the plan is shown and confirmed first.

    Examples:

      pagemind apply agents/assistant.yaml

      pagemind apply agents/ --yes
    """
    launch(context, "defining:apply", files=files or [], yes=yes, prune=prune, as_json=as_json)


def diff(context: typer.Context, files: Files = None, prune: Prune = False, as_json: AsJson = False) -> None:
    """Show what an apply would change, line by line: '-' as it is now, '+' as the file wants it. Exits like plan.

    Example:

      pagemind diff agents/assistant.yaml
    """
    launch(context, "defining:diff", files=files or [], prune=prune, as_json=as_json)


def validate(
    context: typer.Context,
    files: Files = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of an agent's file, for editors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check files without a database: every problem as file:line:column: message. Exits 1 where there is one.

    Examples:

      pagemind validate my-agent.yaml

      pagemind validate --schema > agents/agent.schema.json
    """
    launch(context, "defining:validate", files=files or [], schema=schema, as_json=as_json)


def export(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", autocompletion=agent_names)],
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print an agent as a file that makes the same agent in another home. Secrets are written as references only.

    Example:

      pagemind export assistant -o assistant.yaml
    """
    launch(context, "defining:export", agent=agent, output=output, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the five commands to the root command."""
    for command in (plan, diff):
        app.command(cls=ComparingCommand, rich_help_panel=PANEL)(command)
    for command in (apply, validate, export):
        app.command(rich_help_panel=PANEL)(command)
