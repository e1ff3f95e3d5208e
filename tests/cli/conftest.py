from __future__ import annotations

from collections.abc import Generator

import pytest

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.shell import Shell

from ..within import Within


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """The real command line on a home folder whose database runs as long as the module's tests, as under an open chat."""
    home = tmp_path_factory.mktemp("home")
    server = EmbeddedPostgres(home)
    server.join()
    yield Shell(home, tmp_path_factory.mktemp("empty"))
    server.leave()


@pytest.fixture(scope="module")
def within(shell: Shell) -> Within:
    """The same without a process for each command."""
    return Within(shell.home, shell.folder)
