"""`pagemind doctor` tells how the store stands."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pagemind.settings import Settings
from pagemind.store.checks import check_store
from pagemind.store.database import Database
from pagemind.store.home import Home

pytestmark = pytest.mark.anyio


async def test_a_healthy_store_passes_every_check(server_home: Path, database: Database) -> None:
    found = {check.name: check for check in await check_store(Settings(home=server_home, tenant_id=uuid4()))}
    assert {name: check.found for name, check in found.items() if check.status == "failed"} == {}
    assert set(found) >= {
        "disk",
        "permissions",
        "embedded server",
        "postgres",
        "migrations",
        "role",
        "row-level security",
        "vectors",
        "large archives",
    }
    assert {name for name, check in found.items() if check.status == "warning"} <= {"disk"}
    assert "pgvector 0.8" in found["postgres"].found


async def test_passwords_that_others_can_read_are_found(server_home: Path, database: Database) -> None:
    passwords = Home(server_home).passwords_file
    passwords.chmod(0o644)
    found = {check.name: check for check in await check_store(Settings(home=server_home, tenant_id=uuid4()))}
    passwords.chmod(0o600)
    assert found["permissions"].status == "failed"
    assert "chmod" in found["permissions"].fix


async def test_an_unreachable_server_is_an_answer() -> None:
    url = SecretStr("postgresql://nobody:x@127.0.0.1:1/none")
    (only,) = await check_store(Settings(database_url=url))
    assert (only.name, only.status) == ("database", "failed")
    assert "cannot be reached" in only.found
    assert only.fix
