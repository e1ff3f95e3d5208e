"""``pagemind embedder``: which model makes the vectors, and changing over to another one while everything goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pagemind.cli.launch import launch

app = typer.Typer(
    help="The model that makes the vectors; another one is added beside it, compared, and switched to.", no_args_is_help=True
)

MODEL_HELP = "A name of Hugging Face, a folder, all-MiniLM-L6-v2 (which is here already), or openai:NAME."
Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
OneOf = Annotated[str | None, typer.Argument(metavar="[MODEL]", help="May be left out where one model is being added.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models: which one serves, which are being added and how far they are, how much their vectors take."""
    launch(context, "embedder_views:show", as_json=as_json)


@app.command()
def add(
    context: typer.Context,
    model: Model,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of an openai: model's server; it is kept, a key never.")
    ] = None,
    background: Annotated[bool, typer.Option("--background", help="Leave the work to the server or chat that runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lay a model's vectors beside those that serve. Stop it anywhere; the same command goes on."""
    launch(context, "embedder_views:add", model=model, url=url, background=background, as_json=as_json)


@app.command()
def compare(
    context: typer.Context,
    model: OneOf = None,
    queries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Queries to compare by, one a line; without it the latest searches.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="By so many of the latest searches.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Compare what a model finds with what the serving one finds: the overlap of the best ten, query by query."""
    launch(context, "embedder_comparison:compare", model=model, queries=queries, last=last, as_json=as_json)


@app.command()
def switch(context: typer.Context, model: OneOf = None, as_json: AsJson = False) -> None:
    """Let the model serve. A server that runs follows within seconds; the old vectors stay, so that it can be taken back."""
    launch(context, "embedder_views:switch", model=model, as_json=as_json)


@app.command()
def remove(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="One that `pagemind embedder list` shows.")],
    as_json: AsJson = False,
) -> None:
    """Delete a model's vectors. Never those of the one that serves; stop it anywhere, the same command goes on."""
    launch(context, "embedder_views:remove", model=model, as_json=as_json)
