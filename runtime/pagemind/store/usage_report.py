"""What a tenant's runs came to: how long they took, what they read and wrote. Reads every row: for a scrape, not a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.store.paging_report import Labelled

RUN_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FIRST_TOKEN_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTEXT_TOKENS = (512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0)


@dataclass(frozen=True)
class Spread:
    """How values are spread: ``counts[i]`` of them are at most ``bounds[i]`` and above the bound before; the last have none."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@dataclass(frozen=True)
class Usage:
    """The tenant's sums."""

    run_seconds: Spread
    """From acceptance to the end."""
    first_token_seconds: Spread
    """Of a model call, to its first piece."""
    context_tokens: Spread
    """The prompts of model calls."""
    writes: tuple[Labelled, ...]
    """Revisions of blocks by who made them: agent, person, config, ..."""
    tool_calls: tuple[Labelled, ...]
    """Returns of tools, by name and status."""


RUNS = (
    RUN_SECONDS,
    "SELECT extract(epoch FROM finished_at - created_at)::float AS value FROM runs WHERE finished_at IS NOT NULL",
)
FIRST_TOKENS = (
    FIRST_TOKEN_SECONDS,
    "SELECT (timings ->> 'first_token')::float / 1000 AS value FROM steps WHERE timings ? 'first_token'",
)
CONTEXTS = (CONTEXT_TOKENS, "SELECT prompt_tokens::float AS value FROM steps WHERE state = 'done'")
WRITES = "SELECT split_part(author, ':', 1), count(*) FROM block_revisions GROUP BY 1"
TOOL_CALLS = "SELECT coalesce(name, ''), coalesce(status, ''), count(*) FROM messages WHERE role = 'tool' GROUP BY 1, 2"


async def usage(session: AsyncSession) -> Usage:
    """The tenant's usage."""
    run_seconds, first_token_seconds, context_tokens = [
        await spread(session, bounds, values) for bounds, values in (RUNS, FIRST_TOKENS, CONTEXTS)
    ]
    writes, tool_calls = [
        tuple([Labelled(tuple(labels), count) for *labels, count in await session.execute(text(query))])
        for query in (WRITES, TOOL_CALLS)
    ]
    return Usage(run_seconds, first_token_seconds, context_tokens, writes, tool_calls)


async def spread(session: AsyncSession, bounds: Sequence[float], values: str) -> Spread:
    """How the values that a query gives are spread over the bounds."""
    query = text(
        f"SELECT width_bucket(value, CAST(:bounds AS float[])), count(*), sum(value) FROM ({values}) v GROUP BY 1"  # noqa: S608
    )
    counts, total = [0] * (len(bounds) + 1), 0.0
    for bucket, count, added in await session.execute(query, {"bounds": list(bounds)}):
        counts[bucket] += count
        total += added
    return Spread(bounds, tuple(counts), total)
