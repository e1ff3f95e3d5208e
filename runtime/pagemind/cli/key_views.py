"""``pagemind keys create|list|revoke``: what they do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.completion import remember_keys
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import one_line, safe_text
from pagemind.engine.keys import PREFIX, make_key, served, tenant_named
from pagemind.errors import UnknownRecord, UsageError
from pagemind.records import ApiKey, Scope
from pagemind.settings import Settings
from pagemind.store import keys
from pagemind.store.database import Database

LEAST_ID_CHARS = 4
MOST_NAME_CHARS = 200


class BadName(UsageError):
    """A name has 1 to 200 printable characters. Fix: give another one."""

    code = "bad_name"


class UnknownTenant(UsageError):
    """There is no tenant {name!r}. Fix: `pagemind keys list` shows them; `pagemind keys create --tenant NAME` makes one."""

    code = "unknown_tenant"


class NotConfirmed(UsageError):
    """Nobody is there to be asked whether the key may go. Fix: say --yes."""

    code = "not_confirmed"


class AmbiguousKey(UsageError):
    """{count} keys begin with {id!r}. Fix: give more of the id."""

    code = "ambiguous_key"


class NotAnId(UsageError):
    """That is a key, not its id. Fix: take the id that `pagemind keys list` shows, and do not let the key lie about."""

    code = "not_an_id"


@dataclass(frozen=True)
class Listed:
    """A key and the name of its tenant, '' for the operator's own."""

    key: ApiKey
    tenant: str

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        kept = {"id", "name", "scopes", "created_at", "used_at", "revoked_at"}
        return {**self.key.model_dump(include=kept), "tenant": self.tenant or None, "tenant_id": self.key.tenant_id}


async def create(settings: Settings, *, name: str, scopes: Sequence[str], tenant: str | None, as_json: bool) -> None:
    """Make a key, and its tenant where there is none of that name, and print it."""
    check_name(name or "-")
    check_name("-" if tenant is None else tenant)
    async with Database.opened(settings) as database:
        tenant_id = database.tenant_id if tenant is None else await tenant_named(database, tenant)
        made = make_key(tenant_id, name, [Scope(each) for each in scopes])
        async with database.transaction(tenant_id) as session:
            await keys.add(session, made.key)
        remember(settings, await listed(database))
    if as_json:
        print_json({"key": made.text, **Listed(made.key, tenant or "").values()})
        return
    printer().print(Text(made.text), soft_wrap=True)
    whose = f" for tenant {safe_text(tenant)}" if tenant else ""
    sys.stderr.write(f"This is the only time that it is shown{whose}. Clients send it as `Authorization: Bearer`.\n")


async def show(settings: Settings, *, tenant: str | None, as_json: bool) -> None:
    """Print the keys."""
    async with Database.opened(settings) as database:
        names = [name for _, name in await served(database)]
        if tenant is not None and tenant not in names:
            raise UnknownTenant(name=tenant)
        found = await listed(database)
        remember(settings, found, names)
    shown = [each for each in found if tenant in (None, each.tenant)]
    if as_json:
        print_json([each.values() for each in shown])
        return
    rows = [
        (str(each.key.id), Text(one_line(each.key.name, 40)), " ".join(each.key.scopes), Text(one_line(each.tenant or "-", 40)),
         views.moment(each.key.created_at), views.moment(each.key.used_at) if each.key.used_at else "never",
         f"revoked {views.moment(each.key.revoked_at)}" if each.key.revoked_at else "")
        for each in shown
    ]  # fmt: skip
    columns = ("id", "name", "scopes", "tenant", "made", "used", "")
    empty = Text("There is no key: `pagemind keys create` makes one. Until then the server listens on loopback only.")
    printer().print(views.table(*columns, rows=rows) if rows else empty)


async def revoke(settings: Settings, *, key: str, yes: bool, as_json: bool) -> None:
    """Revoke the key, once that is confirmed."""
    if key.startswith(PREFIX):
        raise NotAnId
    async with Database.opened(settings) as database:
        found = await listed(database)
        chosen = the_one(found, key)
        last = sum(each.key.revoked_at is None for each in found) == 1 and chosen.key.revoked_at is None
        if not yes:
            confirm(chosen, last=last)
        async with database.transaction(chosen.key.tenant_id) as session:
            revoked = await keys.revoke(session, chosen.key.id)
        remember(settings, await listed(database))
    if as_json:
        print_json(Listed(revoked, chosen.tenant).values())
        return
    printer().print(Text(f"Key {revoked.id} opens nothing any more."))
    if last:
        printer().print(Text("It was the last one: a server that starts from now on lets everybody on this machine in."))


async def listed(database: Database) -> list[Listed]:
    """All keys, tenant by tenant."""
    found: list[Listed] = []
    for tenant_id, name in await served(database):
        async with database.transaction(tenant_id) as session:
            found += [Listed(key, name) for key in await keys.all(session)]
    return found


def remember(settings: Settings, found: Sequence[Listed], names: Sequence[str] = ()) -> None:
    """Keep ids and names for the shell's completion."""
    valid = [str(each.key.id) for each in found if each.key.revoked_at is None]
    remember_keys(settings.home, valid, {each.tenant for each in found}.union(names) - {""})


def the_one(found: Sequence[Listed], beginning: str) -> Listed:
    """The key whose id begins so. UnknownRecord, AmbiguousKey."""
    fitting = [each for each in found if str(each.key.id).startswith(beginning.lower())]
    if not fitting or len(beginning) < LEAST_ID_CHARS:
        raise UnknownRecord(kind="key", id=beginning)
    if len(fitting) > 1:
        raise AmbiguousKey(count=len(fitting), id=beginning)
    return fitting[0]


def confirm(chosen: Listed, *, last: bool) -> None:
    """Ask whether the key may go; typer.Abort where it may not, NotConfirmed where nobody is there to be asked."""
    if not sys.stdin.isatty():
        raise NotConfirmed
    used = f"used {views.moment(chosen.key.used_at)}" if chosen.key.used_at else "never used"
    of = f" of tenant {safe_text(chosen.tenant)}" if chosen.tenant else ""
    warning = " It is the last one: the server would let everybody on this machine in again." if last else ""
    words = f"Revoke {safe_text(chosen.key.name) or chosen.key.id}{of}, {used}?{warning} It cannot be taken back."
    typer.confirm(words, abort=True)


def check_name(name: str) -> None:
    """BadName for what cannot be shown on a line."""
    if not name.strip() or len(name) > MOST_NAME_CHARS or not name.isprintable():
        raise BadName
