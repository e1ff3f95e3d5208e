"""``pagemind memory search`` with queries and filters that are empty, too much or too strange."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.shell import Shell

from ..within import Within

TEXT = "The boat is called Petra."


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A home whose assistant has one passage; its server stays up between the commands."""
    home = tmp_path_factory.mktemp("shell")
    database = EmbeddedPostgres(home)
    database.join()
    made = Shell(home, tmp_path_factory.mktemp("empty"))
    made.ok("chat", "-p", "hello")
    made.ok("memory", "insert", "assistant", TEXT, "--tag", "it's")
    yield made
    database.leave()


@pytest.fixture(scope="module")
def within(shell: Shell) -> Within:
    """The same without a process for each command."""
    return Within(shell.home, shell.folder)


def texts(shell: Shell, *words: str) -> list[str]:
    """The passages that are found."""
    return [each["text"] for each in shell.json("memory", "search", "assistant", *words, "--json")["passages"]]


# Each loads the embedder: what the engine answers to other queries is in test_searches.py.
@pytest.mark.parametrize("query", ["", "boat " * 20_000])
def test_any_query_is_answered(query: str, within: Within) -> None:
    assert texts(within, query) in ([], [TEXT])


def test_bytes_that_are_no_text_are_left_out(shell: Shell) -> None:
    assert texts(shell, "boat \udcff\udced", "--tag", "it's") == [TEXT]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--limit", "0"), "--limit"),
        (("--limit", "1000000"), "--limit"),
        (("--after", "2023-02-31"), "--after"),
        (("--trust", "7"), "--trust"),
        (("--decay", "sometimes"), "linear:90d"),
    ],
)
def test_an_option_that_is_wrong_is_named(words: tuple[str, ...], named: str, within: Within) -> None:
    done = within.run("memory", "search", "assistant", "boat", *words)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_time_that_ends_before_it_starts_has_nothing_in_it(within: Within) -> None:
    assert texts(within, "boat", "--after", "2031-01-01", "--before", "2001-01-01") == []


def test_an_agent_that_is_not_there_is_named(within: Within) -> None:
    done = within.run("memory", "search", "nobody", "boat")
    assert done.returncode != 0
    assert "nobody" in done.stderr
