"""Tools that reach beyond this machine or run code. They are known by name, and refuse: nothing here may do what they ask."""

from typing import Literal

from pagemind.errors import NotAllowedHere
from pagemind.toolbox import tool

WEB = "web searches and pages are not set up on this server; an MCP server with such a tool can be attached to the agent"
CODE = "code of an agent's own is not run on this server; a tool from source can, where PAGEMIND_ALLOW_TOOL_SOURCE is true"

Category = Literal[
    "company",
    "research paper",
    "news",
    "pdf",
    "github",
    "tweet",
    "personal site",
    "linkedin profile",
    "financial report",
]


@tool(effect="transactional")
async def web_search(
    query: str,
    num_results: int = 10,
    category: Category | None = None,
    include_text: bool = False,
    include_domains: list[str] | None = None,
    exclude_domains: list[str] | None = None,
    start_published_date: str | None = None,
    end_published_date: str | None = None,
    user_location: str | None = None,
) -> str:
    """Search the web.

    Args:
        query: What you look for.
        num_results: How many results at most, 1 to 100; 10 by default.
        category: Only results of this kind.
        include_text: Whether the pages' whole text comes back, too.
        include_domains: Only results from these domains.
        exclude_domains: No results from these domains.
        start_published_date: Only what was published at this date or later, as 2024-01-15.
        end_published_date: Only what was published before this date.
        user_location: A country by its two letters, for results that fit there.
    """
    raise NotAllowedHere(tool="web_search", why=WEB)


@tool(effect="transactional")
async def fetch_webpage(url: str) -> str:
    """Read a page of the web as text.

    Args:
        url: The page's address.
    """
    raise NotAllowedHere(tool="fetch_webpage", why=WEB)


@tool(effect="transactional")
async def run_code(code: str, language: Literal["python", "js", "ts", "r", "java"]) -> str:
    """Run code and read what it prints.

    Args:
        code: The code.
        language: What it is written in.
    """
    raise NotAllowedHere(tool="run_code", why=CODE)


@tool(effect="transactional")
async def run_code_with_tools(code: str) -> str:
    """Run Python code that may call your other tools.

    Args:
        code: The code.
    """
    raise NotAllowedHere(tool="run_code_with_tools", why=CODE)
