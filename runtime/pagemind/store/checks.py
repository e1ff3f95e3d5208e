"""What `pagemind doctor` asks of the store: each check is one small question with its answer and its mend."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import StoreError
from pagemind.settings import Settings
from pagemind.store.bootstrap import MARK_LEAKPROOF
from pagemind.store.cluster import server_pid
from pagemind.store.database import Database, refuse_unsafe_role
from pagemind.store.home import Home, socket_folder
from pagemind.store.known import LEAKPROOF
from pagemind.store.migrate import HEAD, revision

LEAST_FREE_BYTES = 500_000_000
Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One answer: what was looked at, how it stands, what was found, and how to mend it where it is not ``ok``."""

    name: str
    status: Status
    found: str
    fix: str = ""


async def check_store(settings: Settings) -> list[Check]:
    """Every check of the store, opened for it; never raises a ``StoreError``: that is an answer, too."""
    folders = check_folders(settings)
    try:
        database = await Database.open(settings)
    except StoreError as error:
        return [*folders, failed("database", error)]
    try:
        return [*folders, *await check_database(database)]
    finally:
        await database.close()


async def check_database(database: Database) -> list[Check]:
    """The checks of an open database, in the order in which they matter."""
    questions: dict[str, Callable[[AsyncSession], Awaitable[Check]]] = {
        "postgres": check_server,
        "migrations": check_revision,
        "role": check_role,
        "row-level security": check_policies,
        "vectors": check_vectors,
        "large archives": check_indexed_search,
    }
    checks = [await ask(database, name, question) for name, question in questions.items()]
    if database.owner_url is None:
        fix = "set PAGEMIND_MIGRATION_URL to the role that owns the tables, so that large archives get their indexes"
        checks.append(Check("indexes", "warning", "nobody makes indexes for large archives; they are searched row by row", fix))
    return checks


async def ask(database: Database, name: str, question: Callable[[AsyncSession], Awaitable[Check]]) -> Check:
    """Ask one question in a transaction of its own."""
    try:
        async with database.transaction() as session:
            return await question(session)
    except StoreError as error:
        return failed(name, error)


def failed(name: str, error: StoreError) -> Check:
    """An error as an answer."""
    return Check(name, "failed", f"{error.cause} {error.evidence}".strip(), error.fix)


async def check_server(session: AsyncSession) -> Check:
    """The server's version and the vector extension's."""
    row = (
        await session.execute(
            text(
                "SELECT current_setting('server_version') AS server, extversion AS pgvector "
                "FROM pg_extension WHERE extname = 'vector'"
            )
        )
    ).one()
    return Check("postgres", "ok", f"PostgreSQL {row.server}, pgvector {row.pgvector}")


async def check_revision(session: AsyncSession) -> Check:
    """Whether the schema is the one this Pagemind was written for."""
    found = await revision(session)
    if found == HEAD:
        return Check("migrations", "ok", f"schema {found}, the newest")
    return Check("migrations", "failed", f"schema {found or 'empty'}, this Pagemind needs {HEAD}", "run `pagemind db upgrade`")


async def check_role(session: AsyncSession) -> Check:
    """Whether row-level security holds the role that the runtime connects as."""
    await refuse_unsafe_role(session)
    role = await session.scalar(text("SELECT current_user"))
    return Check("role", "ok", f"{role}: neither superuser, owner nor BYPASSRLS")


async def check_policies(session: AsyncSession) -> Check:
    """Whether every table that the role can read is under FORCEd row-level security."""
    rows = await session.execute(
        text(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'alembic_version'"
        )
    )
    forced = {row.relname: row.forced for row in rows}
    open_tables = sorted(name for name, holds in forced.items() if not holds)
    if open_tables:
        fix = f"as the owner: ALTER TABLE {open_tables[0]} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        return Check("row-level security", "failed", f"not forced on {', '.join(open_tables)}", fix)
    return Check("row-level security", "ok", f"forced on all {len(forced)} tables")


async def check_vectors(session: AsyncSession) -> Check:
    """Whether a vector goes in and out and distances are right."""
    cosine = await session.scalar(text("SELECT 1 - ('[0.6,0.8]'::halfvec <=> '[0,1]'::halfvec)"))
    if cosine is not None and abs(cosine - 0.8) < 0.01:
        return Check("vectors", "ok", "a halfvec's cosine is right")
    return Check("vectors", "failed", f"a cosine of 0.8 came out as {cosine}", "reinstall pgvector")


async def check_indexed_search(session: AsyncSession) -> Check:
    """Whether row-level security lets an index of words be used."""
    if await session.scalar(text(LEAKPROOF)):
        return Check("large archives", "ok", "an index of words is used under row-level security")
    found = "no index of words is used under row-level security, so that large archives are searched row by row"
    return Check("large archives", "warning", found, f"as a superuser, in this database: {MARK_LEAKPROOF}")


def check_folders(settings: Settings) -> list[Check]:
    """Room on the disk, and who may look into the database's folders. Nothing for an external server."""
    if settings.database_url is not None:
        return []
    home = Home(settings.home.expanduser().resolve())
    return [check_room(home), check_permissions(home), check_running(home)]


def check_room(home: Home) -> Check:
    """Whether the disk has room."""
    place: Path = next(folder for folder in (home.folder, *home.folder.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free at {place}"
    if free < LEAST_FREE_BYTES:
        return Check("disk", "warning", found, "free some space: a full disk stops the database")
    return Check("disk", "ok", found)


def check_permissions(home: Home) -> Check:
    """Whether nobody else may look into the data, the passwords or the socket's folder."""
    places = [path for path in (home.data, home.passwords_file, socket_folder(home)) if path.exists()]
    loose = [path for path in places if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if loose:
        return Check("permissions", "failed", f"others may enter {loose[0]}", f"chmod go-rwx {loose[0]}")
    return Check("permissions", "ok", f"{home.folder} keeps its data to you" if places else f"{home.folder} is not made yet")


def check_running(home: Home) -> Check:
    """Whether the embedded server runs, and as which process."""
    pid = server_pid(home)
    return Check("embedded server", "ok", f"runs as process {pid}" if pid else "not running; it starts with the first command")
