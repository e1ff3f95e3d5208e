"""The operator's guide names every endpoint that there is, and the SDK calls none that is not there.

``PAGEMIND_WRITE_DOCS=1 pytest tests/api/test_documents.py`` writes the table anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import letta_client
from fastapi.routing import APIRoute

from pagemind.api import documents
from pagemind.api.app import ROUTERS
from pagemind.api.dispatch import all_routes
from pagemind.api.letta import refused

GUIDE = Path(__file__).parents[2] / "docs" / "server.md"
BEGIN, END = "<!-- endpoints: begin -->\n", "<!-- endpoints: end -->\n"
CALL = re.compile(
    r"""self\._?(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\(\s*)?f?["'](/v1/[^"']*)["']""", re.DOTALL
)


def routes() -> Iterator[APIRoute]:
    for module in ROUTERS:
        if module not in (documents, refused):
            yield from (route for route in all_routes(module.router) if isinstance(route, APIRoute))


def methods(route: APIRoute) -> set[str]:
    return set(route.methods or ())


def summary(route: APIRoute) -> str:
    return " ".join(route.description.split("\n\n", 1)[0].split()).replace("|", "\\|")


def table() -> str:
    """Both tables, as they stand in the guide."""
    done = [
        (route.path, method, (summary(route),)) for route in routes() if route.include_in_schema for method in methods(route)
    ]
    not_done = [
        (route.path, method, ("", summary(route)))
        for route in routes()
        if not route.include_in_schema
        for method in methods(route)
    ]
    not_done += [
        (entry.path, method, (entry.what, entry.instead)) for entry in refused.TABLE for method in entry.methods.split()
    ]
    parts = ["### Done\n\n| | path | |\n|---|---|---|\n", *rows(done)]
    parts += ["\n### Refused with 501\n\n| | path | what there is not | instead |\n|---|---|---|---|\n", *rows(not_done)]
    return "".join(parts)


def rows(entries: list[tuple[str, str, tuple[str, ...]]]) -> Iterator[str]:
    """One row for each path and what is said of it, with its methods."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for path, method, words in sorted(set(entries)):
        together.setdefault((path, words), []).append(method)
    for (path, words), known in together.items():
        yield f"| {', '.join(each for each in known if each != 'HEAD')} | `{path}` | {' | '.join(words)} |\n"


def test_the_guide_names_every_endpoint_that_there_is() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    before, rest = guide.split(BEGIN)
    written, after = rest.split(END)
    if os.environ.get("PAGEMIND_WRITE_DOCS"):
        GUIDE.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8")
        return
    assert written == table(), "write it anew: PAGEMIND_WRITE_DOCS=1 pytest tests/api/test_documents.py"


def test_no_endpoint_is_both_done_and_refused() -> None:
    done = {(method, shape(route.path)) for route in routes() for method in methods(route)}
    for entry in refused.TABLE:
        for method in entry.methods.split():
            covered = [path for known, path in done if known == method and covers(entry.path, path)]
            assert covered == [], f"{method} {entry.path} hides {covered}"


def test_the_sdk_calls_no_endpoint_that_is_not_there() -> None:
    done = {(method, shape(route.path)) for route in routes() for method in methods(route)}
    missing = [
        (method, path)
        for method, path in sdk_calls()
        if (method, path) not in done
        and not any(method in entry.methods.split() and covers(entry.path, path) for entry in refused.TABLE)
    ]
    assert missing == []


def sdk_calls() -> set[tuple[str, str]]:
    """Method and shape of path of everything that the SDK calls."""
    sources = Path(letta_client.__file__).parent.rglob("*.py")
    found = [call for source in sources for call in CALL.findall(source.read_text(encoding="utf-8"))]
    return {("GET" if method == "get_api_list" else method.upper(), shape(path)) for method, path in found}


def shape(path: str) -> str:
    """The path with ``{}`` for each parameter and without the slash at its end."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def covers(pattern: str, path: str) -> bool:
    """Whether a refused path is the shape of this one, or, ending with ``*``, begins it."""
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else shape(pattern) == path


def test_the_sdk_has_as_many_calls_as_were_counted() -> None:
    assert len(sdk_calls()) == 129
