"""Sets a server up: the database, the vector extension, the two roles, and what only a superuser may say of functions.

Safe to repeat, and repeated where a home was set up by an older Pagemind.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql
from sqlalchemy import URL

from pagemind.store.failures import store_errors

DATABASE = "pagemind"
OWNER = "pagemind_owner"
APP = "pagemind_app"
EDITION = "2"
"""What the mark of a home that is set up says; another one is set up again."""
SILENT_FUNCTIONS = ("ts_match_vq(tsvector, tsquery)", "arrayoverlap(anyarray, anyarray)", "arraycontains(anyarray, anyarray)")
"""Their operators (``@@``, ``&&``, ``@>``) find rows by an index. Under row-level security PostgreSQL asks an index only by
what is marked LEAKPROOF, as errors could tell of hidden rows; these raise none that would name a value."""
MARK_LEAKPROOF = "; ".join(f"ALTER FUNCTION {function} LEAKPROOF" for function in SILENT_FUNCTIONS)
"""What makes them so; only a superuser may."""
HARMLESS = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"


def bootstrap(superuser: URL, secrets: Mapping[str, str]) -> None:
    """Make roles, database and extension where they are missing, and set the roles' passwords. Blocking."""
    with store_errors():
        with connect(superuser) as connection:
            for role in (OWNER, APP):
                ensure_role(connection, role, secrets[role])
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE)))
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(DATABASE), sql.Identifier(APP))
            )
        with connect(superuser.set(database=DATABASE)) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            connection.execute(MARK_LEAKPROOF.encode())


def connect(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    """A blocking connection in autocommit mode, closed by ``with``."""
    return psycopg.connect(
        host=str(url.query["host"]), user=url.username, password=url.password, dbname=url.database, autocommit=True
    )


def ensure_role(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    """Make the role, or bring back its password and its lack of powers. The server stores a scram verifier only."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} ROLE {} {} PASSWORD {}").format(verb, sql.Identifier(role), sql.SQL(HARMLESS), sql.Literal(verifier))
    )
