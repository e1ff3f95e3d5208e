"""Tools that are known by name: what they do here, or why they do nothing."""

from __future__ import annotations

import pytest

from .conftest import Calling

pytestmark = pytest.mark.anyio


async def test_a_message_to_the_person_is_sent(call: Calling) -> None:
    assert (await call("send_message", message="Hello.")).text == "Sent."
    assert (await call("send_message", message=" ")).status == "error"
    assert (await call("memory_finish_edits")).text == "Done."


@pytest.mark.parametrize(
    ("name", "arguments", "hint"),
    [
        ("web_search", {"query": "x", "category": "news"}, "MCP server"),
        ("fetch_webpage", {"url": "https://example.org"}, "MCP server"),
        ("run_code", {"code": "1", "language": "python"}, "PAGEMIND_ALLOW_TOOL_SOURCE"),
        ("run_code_with_tools", {"code": "1"}, "PAGEMIND_ALLOW_TOOL_SOURCE"),
    ],
)
async def test_what_may_not_be_done_here_is_refused_with_what_would_allow_it(
    call: Calling, name: str, arguments: dict[str, str], hint: str
) -> None:
    result = await call(name, **arguments)
    assert (result.status, hint in result.text) == ("error", True)
