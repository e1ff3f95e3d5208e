"""``pagemind keys``: who may ask the server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pagemind.cli.completion import key_ids, tenant_names
from pagemind.cli.launch import launch

app = typer.Typer(help="Keys of the server. As soon as there is one, every request needs one.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Of this tenant.", autocompletion=tenant_names)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Allowed(StrEnum):
    """The names of the scopes; the records' own would bring the database along, which ``--help`` need not wait for."""

    read = "read"
    chat = "chat"
    admin = "admin"
    tenant = "tenant"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is for; stands in the history of what it changes.")] = "",
    scope: Annotated[
        list[Allowed] | None,
        typer.Option(help="read: look. chat: talk to agents, too. admin (the default): everything. Several are added up."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For this tenant, which is made if there is none: it shares nothing with others.",
            autocompletion=tenant_names,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once: only its digest is stored."""
    launch(context, "key_views:create", name=name, scopes=scope or [Allowed.admin], tenant=tenant, as_json=as_json)


@app.command("list")
def list_(context: typer.Context, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the keys by tenant, revoked ones too: what they may do, when they were used."""
    launch(context, "key_views:show", tenant=tenant, as_json=as_json)


@app.command()
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.", autocompletion=key_ids)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a key open nothing any more. A server that runs learns of it within seconds. It cannot be taken back."""
    launch(context, "key_views:revoke", key=key, yes=yes, as_json=as_json)
