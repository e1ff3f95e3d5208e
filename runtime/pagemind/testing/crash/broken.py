"""A deliberately broken way to store a step, in two transactions. The harness is worth something only if it catches this."""

from __future__ import annotations

from dataclasses import replace

from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.persist import Draft, Persisted, persist, write_edits, write_passages


async def persist_in_two(job: Job, kernel: Kernel, draft: Draft) -> Persisted:
    """Commit the step's history first and its effects on memory afterwards: a death in between loses the effects."""
    stored = await persist(job, kernel, replace(draft, edits=(), passages=(), vectors={}))
    async with kernel.database.transaction() as session:
        written = await write_edits(session, job, draft)
        await write_passages(session, job, draft)
    return replace(stored, blocks={block.id: block for block in written})
