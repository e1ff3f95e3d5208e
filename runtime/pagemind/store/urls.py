"""Database URLs as people write them, made into what SQLAlchemy wants."""

from __future__ import annotations

from typing import overload

from pydantic import SecretStr
from sqlalchemy import URL, make_url

DRIVER = "postgresql+psycopg"


@overload
def external_url(secret: SecretStr) -> URL: ...
@overload
def external_url(secret: SecretStr | None) -> URL | None: ...
def external_url(secret: SecretStr | None) -> URL | None:
    """The URL of an external server with our driver put in; ``postgres://`` and ``postgresql://`` both do."""
    if secret is None:
        return None
    given = secret.get_secret_value()
    if given.startswith("postgres://"):
        given = given.replace("postgres://", "postgresql://", 1)
    return make_url(given).set(drivername=DRIVER)


def socket_url(folder: str, *, role: str, password: str, database: str) -> URL:
    """The URL of a server that listens on a unix socket in ``folder``."""
    return URL.create(DRIVER, username=role, password=password, database=database, query={"host": folder})
