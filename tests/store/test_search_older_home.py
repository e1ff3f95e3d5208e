"""A home that an older Pagemind set up gets what searching by indexes needs."""

from __future__ import annotations

from pathlib import Path

from pagemind.store.bootstrap import DATABASE, EDITION, connect
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.store.known import LEAKPROOF


def test_a_home_that_was_set_up_before_is_set_up_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.join()
    try:
        with connect(server.superuser_url().set(database=DATABASE)) as connection:
            connection.execute("ALTER FUNCTION ts_match_vq(tsvector, tsquery) NOT LEAKPROOF")
            server.home.ready_mark.write_text("")
            server.join()
            assert connection.execute(LEAKPROOF.encode()).fetchone() == (True,)
        assert server.home.ready_mark.read_text() == EDITION
        with connect(server.app_url()) as connection:
            assert connection.execute("SELECT current_user::text").fetchone() == ("pagemind_app",)
    finally:
        server.leave()
