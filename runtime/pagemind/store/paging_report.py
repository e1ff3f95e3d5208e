"""What paging came to: sums over steps, epochs and page faults, of one conversation or of the whole tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class StepSums:
    """The steps of one epoch. Tokens are sums; ``kept``, ``rolled``, ``broken`` count prompts by how they began."""

    epoch: int
    steps: int
    prompt_tokens: int
    cached_tokens: int
    common_tokens: int
    completion_tokens: int
    miscounted: int
    """Steps whose prompt the server counted otherwise than we did."""
    kept: int
    rolled: int
    broken: int


@dataclass(frozen=True)
class FaultSums:
    """The page faults of what one epoch paged out: ``messages`` came back in ``faults`` searches, at a cost of ``tokens``."""

    epoch: int
    faults: int
    soon: int
    """Those within the turns that were asked for."""
    messages: int
    tokens: int
    median_turns_out: float


@dataclass(frozen=True)
class Faulted:
    """A message and how often it was brought back."""

    seq: int
    role: str
    words: str
    """Its beginning."""
    times: int
    tokens: int
    """What all its faults took."""


@dataclass(frozen=True)
class StepPoint:
    """One step, for a plot."""

    epoch: int
    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True)
class Labelled:
    """A count under one or two labels."""

    labels: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Totals:
    """The tenant's sums over all that is stored. ``milliseconds`` and the ``summary_`` tokens are those of compactions."""

    steps: int
    prompt_tokens: int
    cached_tokens: int
    common_tokens: int
    completion_tokens: int
    miscounted: int
    paged_out_messages: int
    paged_out_tokens: int
    summary_prompt_tokens: int
    summary_cached_tokens: int
    summary_completion_tokens: int
    milliseconds: float
    faults: int
    fault_tokens: int
    prefixes: tuple[Labelled, ...]
    """By ``memory.prefix.Verdict``."""
    causes: tuple[Labelled, ...]
    """By ``records.Cause``."""
    runs: tuple[Labelled, ...]
    """By state and stop reason; '' while there is none."""


_SUMS = """count(*) AS steps,
       coalesce(sum(s.prompt_tokens), 0)::bigint AS prompt_tokens,
       coalesce(sum(s.cached_tokens), 0)::bigint AS cached_tokens,
       coalesce(sum(s.common_tokens), 0)::bigint AS common_tokens,
       coalesce(sum(s.completion_tokens), 0)::bigint AS completion_tokens,
       count(*) FILTER (WHERE s.counted_tokens <> s.prompt_tokens AND s.prefix <> '') AS miscounted"""
# Steps from before the columns were there have no verdict: their own count was not stored.

_STEPS = text(
    f"""
    SELECT s.epoch, {_SUMS},
           count(*) FILTER (WHERE s.prefix = 'kept') AS kept,
           count(*) FILTER (WHERE s.prefix = 'rolled') AS rolled,
           count(*) FILTER (WHERE s.prefix = 'broken') AS broken
      FROM steps s JOIN runs r ON r.tenant_id = s.tenant_id AND r.id = s.run_id
     WHERE r.conversation_id = :conversation_id AND s.state = 'done'
     GROUP BY s.epoch ORDER BY s.epoch
    """  # noqa: S608 - constants
)

_FAULTS = text(
    """
    SELECT e.epoch, count(*) AS faults, count(*) FILTER (WHERE f.turns_out <= :within) AS soon,
           count(DISTINCT f.seq) AS messages, sum(f.tokens)::bigint AS tokens,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY f.turns_out) AS median_turns_out
      FROM page_faults f
      JOIN epochs e ON e.tenant_id = f.tenant_id AND e.conversation_id = f.conversation_id
                   AND f.seq BETWEEN e.first_seq AND e.last_seq
     WHERE f.conversation_id = :conversation_id
     GROUP BY e.epoch ORDER BY e.epoch
    """
)

_FAULTED = text(
    """
    SELECT f.seq, m.role, left(m.content, 200) AS words, count(*) AS times, sum(f.tokens)::bigint AS tokens
      FROM page_faults f
      JOIN messages m ON m.tenant_id = f.tenant_id AND m.conversation_id = f.conversation_id AND m.seq = f.seq
     WHERE f.conversation_id = :conversation_id
     GROUP BY f.seq, m.role, m.content ORDER BY times DESC, f.seq DESC LIMIT :limit
    """
)

_BLOCK_HITS = text(
    """
    SELECT label, count(*) AS steps
      FROM steps s JOIN runs r ON r.tenant_id = s.tenant_id AND r.id = s.run_id, unnest(s.block_hits) AS label
     WHERE r.conversation_id = :conversation_id AND s.state = 'done'
     GROUP BY label
    """
)

_POINTS = text(
    """
    SELECT s.epoch, s.prompt_tokens, s.cached_tokens
      FROM steps s JOIN runs r ON r.tenant_id = s.tenant_id AND r.id = s.run_id
     WHERE r.conversation_id = :conversation_id AND s.state = 'done'
     ORDER BY r.position DESC, s.index DESC LIMIT :limit
    """
)

_ALL_STEPS = text(f"SELECT {_SUMS} FROM steps s WHERE s.state = 'done'")  # noqa: S608 - constants

_ALL_EPOCHS = text(
    """
    SELECT coalesce(sum(messages), 0)::bigint AS paged_out_messages, coalesce(sum(tokens_out), 0)::bigint AS paged_out_tokens,
           coalesce(sum(prompt_tokens), 0)::bigint AS summary_prompt_tokens,
           coalesce(sum(cached_tokens), 0)::bigint AS summary_cached_tokens,
           coalesce(sum(completion_tokens), 0)::bigint AS summary_completion_tokens,
           coalesce(sum(milliseconds), 0) AS milliseconds
      FROM epochs
    """
)

_ALL_FAULTS = text("SELECT count(*) AS faults, coalesce(sum(tokens), 0)::bigint AS fault_tokens FROM page_faults")

_COUNTS = {
    "prefixes": text("SELECT prefix, count(*) FROM steps WHERE state = 'done' AND prefix <> '' GROUP BY prefix"),
    "causes": text("SELECT cause, count(*) FROM epochs GROUP BY cause"),
    "runs": text("SELECT state, coalesce(stop_reason, ''), count(*) FROM runs GROUP BY state, stop_reason"),
}


async def steps_by_epoch(session: AsyncSession, conversation_id: UUID) -> list[StepSums]:
    """The conversation's steps by epoch, in order; epoch 0 are those from before epochs were recorded."""
    rows = await session.execute(_STEPS, {"conversation_id": conversation_id})
    return [StepSums(**row) for row in rows.mappings()]


async def faults_by_epoch(session: AsyncSession, conversation_id: UUID, *, within: int) -> list[FaultSums]:
    """The conversation's page faults by the epoch that had paged the message out; ``within`` turns count as soon."""
    rows = await session.execute(_FAULTS, {"conversation_id": conversation_id, "within": within})
    return [FaultSums(**row) for row in rows.mappings()]


async def most_faulted(session: AsyncSession, conversation_id: UUID, *, limit: int) -> list[Faulted]:
    """The messages that were brought back most often, the newer first of equal ones."""
    rows = await session.execute(_FAULTED, {"conversation_id": conversation_id, "limit": limit})
    return [Faulted(**row) for row in rows.mappings()]


async def block_hits(session: AsyncSession, conversation_id: UUID) -> dict[str, int]:
    """Block label -> the number of steps whose reply drew on it; a block that none drew on is not there."""
    rows = await session.execute(_BLOCK_HITS, {"conversation_id": conversation_id})
    return {label: int(steps) for label, steps in rows}


async def newest_steps(session: AsyncSession, conversation_id: UUID, *, limit: int) -> list[StepPoint]:
    """The conversation's newest ``limit`` steps, in order."""
    rows = await session.execute(_POINTS, {"conversation_id": conversation_id, "limit": limit})
    return [StepPoint(**row) for row in rows.mappings()][::-1]


async def totals(session: AsyncSession) -> Totals:
    """The tenant's totals. Reads every step and run of it: for a scrape a minute, not for each request."""
    values: dict[str, Any] = {}
    for query in (_ALL_STEPS, _ALL_EPOCHS, _ALL_FAULTS):
        values |= (await session.execute(query)).mappings().one()
    for name, query in _COUNTS.items():
        values[name] = tuple([Labelled(tuple(labels), count) for *labels, count in await session.execute(query)])
    return Totals(**values)


async def broken_prefixes(session: AsyncSession) -> tuple[int, int]:
    """How many of the tenant's prompts broke the invariant of their epoch, and how many were held against one before."""
    query = "SELECT count(*) FILTER (WHERE prefix = 'broken'), count(*) FROM steps WHERE prefix IN ('kept', 'rolled', 'broken')"
    broken, compared = (await session.execute(text(query))).one()
    return broken, compared
