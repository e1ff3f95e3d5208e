"""Advance: what a step leaves for the next is what a reading of the store would give."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from pagemind.engine.begin import begin
from pagemind.engine.job import Job
from pagemind.engine.step import read, run_step
from pagemind.records import Completion, Rewrite
from pagemind.records.view import View
from pagemind.settings import Settings
from pagemind.store import runs
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

WHEN = {"updated_at", "stepped_at", "created_at", "lease_until"}
"""What the database writes by its own clock."""
LINES = [
    [
        call("core_memory_append", label="human", content="Likes tea."),
        call("core_memory_append", label="human", content="Black."),
    ],
    call("archival_memory_insert", content="The tea is in the cupboard.", tags=["tea"]),
    call("conversation_search", query="tea"),
    Completion("", calls=(call("core_memory_append", label="nowhere", content="x"),), reasoning="Where to?"),
    call("no_such_tool"),
    call("memory_rethink", label="human", new_memory="Likes black tea."),
]


async def begun(chat: Bench, text: str) -> tuple[Job, View]:
    """A run accepted, claimed and begun, without any worker."""
    await chat.runtime.accept(chat.conversation.id, text)
    async with chat.runtime.kernel.database.transaction() as session:
        run = await runs.claim(session, uuid4(), lease_seconds=60)
    assert run is not None
    job = Job.of(run, chat.runtime.kernel.hub)
    kernel = await begin(job, chat.runtime.kernel)
    return job, await read(job, kernel)


def plain(view: View) -> dict[str, Any]:
    """The view's values, without the database's own times."""
    return {
        "conversation": view.conversation.model_dump(exclude=WHEN),
        "run": view.run.model_dump(exclude=WHEN),
        "blocks": [block.model_dump(exclude=WHEN) for block in view.blocks],
        "messages": [message.model_dump() for message in view.messages],
        "archive": view.archive_id,
        "acting": (view.acting, view.recorded),
    }


async def test_the_view_that_a_step_leaves_is_the_one_that_would_be_read(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        chat.model.will(*LINES, "Done.")
        job, view = await begun(chat, "I like tea.")
        for _ in LINES:
            outcome = await run_step(job, chat.runtime.kernel, view)
            assert not outcome.ended
            assert outcome.view is not None
            view = outcome.view
            assert plain(view) == plain(await read(job, chat.runtime.kernel))
        assert (await run_step(job, chat.runtime.kernel, view)).ended


async def test_an_edit_from_elsewhere_in_the_middle_of_a_run_is_built_upon(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        chat.model.will(LINES[2], call("core_memory_append", label="human", content="Likes tea."), "Done.")
        job, view = await begun(chat, "I like tea.")
        outcome = await run_step(job, chat.runtime.kernel, view)
        await chat.memory.edit(chat.agent, "human", Rewrite("Her name is Ada."), author="person:eve")
        outcome = await run_step(job, chat.runtime.kernel, outcome.view)
        assert await chat.block("human") == "Her name is Ada.\nLikes tea."
        assert outcome.view is not None
        assert plain(outcome.view) == plain(await read(job, chat.runtime.kernel))


async def test_a_request_to_cancel_ends_the_run_after_the_step_that_hears_of_it(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        chat.model.will(LINES[2])
        job, view = await begun(chat, "I like tea.")
        async with chat.runtime.kernel.database.transaction() as session:
            await runs.request_cancel(session, job.run_id)
        await run_step(job, chat.runtime.kernel, view)
        assert job.cancel.is_set()
