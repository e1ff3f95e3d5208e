from __future__ import annotations

from letta_client import Letta

from pagemind import __version__


def test_the_sdk_finds_the_server_healthy(client: Letta) -> None:
    health = client.health()
    assert (health.status, health.version) == ("ok", __version__)
