"""Files: taken in whatever dies, opened without moving the prompt's prefix, searched in bounded time, out of others' reach."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from pagemind.engine import files
from pagemind.engine.files import Upload
from pagemind.engine.intake import take_in
from pagemind.engine.runtime import Runtime
from pagemind.errors import BadPattern, EmbedderError, FileTooLarge, UnknownFile, UnknownFileType, UnknownRecord
from pagemind.model.embedder import Kind
from pagemind.records import File, FileRequest, FileState, Folder, Prompt
from pagemind.settings import Settings
from pagemind.store import agents, folders
from pagemind.store import files as stored
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import WordEmbedder

pytestmark = pytest.mark.anyio

GARDEN = "# Garden\n\nFigs ripen in August.\nThe spade is green.\nThe hose leaks.\n"


@pytest.fixture
async def reader(settings: Settings) -> AsyncGenerator[Bench]:
    """An agent on a runtime that takes files in."""
    async with bench(settings, embedder=WordEmbedder()) as opened:
        yield opened


async def folder_of(reader: Bench, name: str = "docs") -> UUID:
    """A new folder, attached to the agent."""
    folder = Folder(tenant_id=reader.agent.tenant_id, name=name, archive_id=uuid4(), instructions="Read these.")
    async with reader.runtime.kernel.database.transaction() as session:
        await folders.add(session, folder)
        await files.attach(session, await agents.lock(session, reader.agent.id), folder.id)
    return folder.id


async def uploaded(reader: Bench, folder_id: UUID, name: str, text: str) -> File:
    """A file that was taken in and embedded."""
    kernel = reader.runtime.kernel
    file, _ = await files.take(kernel, folder_id, Upload(name, "text/plain", text.encode()))
    while await take_in(kernel):
        pass
    await reader.runtime.indexed()
    return file


async def state_of(reader: Bench, file: File) -> File:
    kernel = reader.runtime.kernel
    async with kernel.database.transaction() as session:
        await stored.complete(session, kernel.embedder.name)
        return await stored.get(session, file.folder_id, file.id, content=True)


def head(prompt: Prompt) -> str:
    """What stands before the history, and the notices in it."""
    return "\n".join(message.content for message in prompt.messages if message.role in ("system", "user"))


async def test_an_upload_that_nobody_took_in_is_taken_in_by_the_next_process(settings: Settings) -> None:
    async with bench(settings, embedder=WordEmbedder(), work=False) as reader:
        folder_id = await folder_of(reader)
        file, _ = await files.take(reader.runtime.kernel, folder_id, Upload("garden.md", "", GARDEN.encode()))
        assert (await state_of(reader, file)).state == FileState.pending
    async with bench(settings, embedder=WordEmbedder(), work=False) as reader:
        assert await take_in(reader.runtime.kernel)
        assert not await take_in(reader.runtime.kernel)
        assert (await state_of(reader, file)).state == FileState.embedding
        await reader.runtime.indexed()
        ready = await state_of(reader, file)
        assert (ready.state, ready.chunks, ready.text) == (FileState.completed, 1, GARDEN)


async def test_two_processes_take_a_file_in_once(reader: Bench) -> None:
    folder_id = await folder_of(reader)
    kernel = reader.runtime.kernel
    file, _ = await files.take(kernel, folder_id, Upload("garden.md", "", GARDEN.encode()))
    async with kernel.database.transaction() as session:
        assert await stored.settle(session, file.id, FileState.embedding, content="theirs", chunks=0)
    async with kernel.database.transaction() as session:
        assert not await stored.settle(session, file.id, FileState.embedding, content="ours", chunks=0)
    assert (await state_of(reader, file)).text == "theirs"


async def test_a_file_too_large_or_of_no_text_is_not_kept(settings: Settings) -> None:
    small = settings.model_copy(update={"file_limit_bytes": 10})
    async with bench(small, embedder=WordEmbedder(), work=False) as reader:
        folder_id = await folder_of(reader)
        with pytest.raises(FileTooLarge):
            await files.take(reader.runtime.kernel, folder_id, Upload("a.txt", "text/plain", b"x" * 11))
        with pytest.raises(UnknownFileType):
            await files.take(reader.runtime.kernel, folder_id, Upload("a.png", "image/png", b"x"))


async def test_an_opened_file_is_in_the_tools_result_and_in_the_next_epochs_snapshot(settings: Settings) -> None:
    small = ScriptedReasoner(window_tokens=2_048, summary="They looked at the garden.")
    async with bench(settings, model=small, embedder=WordEmbedder(), memory={"summary_tokens": 64}) as reader:
        await uploaded(reader, await folder_of(reader), "garden.md", GARDEN)
        asked = [{"file_name": "docs/garden.md", "offset": 3, "length": 1}]
        small.will("Hi.", call("open_files", file_requests=asked), "It is green.", "Still green.")
        for text in ("Hello.", "What colour is the spade?", "Sure?"):
            await reader.ask(text)
        prompts = list(small.prompts)
        assert "Read these." in head(prompts[0])
        assert "- docs/garden.md" in head(prompts[0])
        assert "4: The spade is green." in prompts[2].messages[-1].content
        assert all("spade is green" not in head(prompt) for prompt in prompts)
        for before, after in pairwise(prompts):
            assert after.messages[: len(before.messages)] == before.messages, "the prefix moved"
        small.will(*["Yes."] * 12)
        for _ in range(12):
            await reader.ask("tell me more " * 40)
        assert '<open_file name="docs/garden.md">\n[lines 4 to 4 of 5]\n4: The spade' in head(small.prompts[-1])


async def test_a_file_opened_from_outside_comes_as_a_notice(reader: Bench) -> None:
    file = await uploaded(reader, await folder_of(reader), "garden.md", GARDEN)
    reader.model.will("One.", "Two.", "Three.", "Four.", "Five.")
    await reader.ask("1")
    await files.open_one(reader.runtime.kernel, reader.agent.id, file.id)
    await reader.ask("2")
    first, second = reader.model.prompts[-2:]
    assert second.messages[: len(first.messages)] == first.messages, "the prefix moved"
    assert "Figs ripen" in second.messages[-2].content
    assert "Open: docs/garden.md." in second.messages[-2].content
    await reader.ask("3")
    assert sum("<files_notice>" in message.content for message in reader.model.prompts[-1].messages) == 1
    await files.close(reader.runtime.kernel, reader.agent.id, file.id)
    await reader.ask("4")
    assert "Open: none." in reader.model.prompts[-1].messages[-2].content


async def test_a_second_folder_is_told_and_the_last_one_takes_the_tools(reader: Bench) -> None:
    first = await folder_of(reader)
    reader.model.will("One.", "Two.", "Three.")
    await reader.ask("1")
    second = await folder_of(reader, "letters")
    await reader.ask("2")
    assert '<folder name="letters">' in reader.model.prompts[-1].messages[-2].content
    async with reader.runtime.kernel.database.transaction() as session:
        await files.remove_folder(session, first)
        await files.remove_folder(session, second)
    await reader.ask("3")
    last = reader.model.prompts[-1]
    assert "open_files" not in {tool.name for tool in last.tools}
    assert "<folder " not in last.messages[1].content


async def test_files_of_another_agents_folder_are_not_found(reader: Bench) -> None:
    async with reader.runtime.kernel.database.transaction() as session:
        theirs = Folder(tenant_id=reader.agent.tenant_id, name="theirs", archive_id=uuid4())
        await folders.add(session, theirs)
    await folder_of(reader)
    secret = await uploaded(reader, theirs.id, "secret.txt", "The password is swordfish.")
    kernel, agent = reader.runtime.kernel, reader.agent
    assert await files.search(kernel, agent.id, "password swordfish", 5) == []
    assert (await files.grep(kernel, agent.id, "swordfish")).total == 0
    with pytest.raises(UnknownFile):
        await files.views_of(kernel, agent, [FileRequest("theirs/secret.txt")])
    with pytest.raises(UnknownRecord):
        await files.open_one(kernel, agent.id, secret.id)


async def test_another_tenants_folders_are_out_of_reach(reader: Bench, settings: Settings) -> None:
    folder_id = await folder_of(reader)
    file = await uploaded(reader, folder_id, "garden.md", GARDEN)
    other = settings.model_copy(update={"tenant_id": uuid4()})
    async with await Runtime.open(other, reasoner=reader.model, embedder=WordEmbedder(), work=False) as stranger:
        with pytest.raises(UnknownRecord):
            await files.take(stranger.kernel, folder_id, Upload("a.txt", "text/plain", b"x"))
        async with stranger.kernel.database.transaction() as session:
            with pytest.raises(UnknownRecord):
                await stored.get(session, folder_id, file.id)
            assert await folders.count(session) == 0


async def test_lines_are_grepped_in_all_files_or_in_some(reader: Bench) -> None:
    folder_id = await folder_of(reader)
    await uploaded(reader, folder_id, "garden.md", GARDEN)
    await uploaded(reader, folder_id, "notes.txt", "figs again\nnothing")
    kernel, agent_id = reader.runtime.kernel, reader.agent.id
    found = await files.grep(kernel, agent_id, r"^figs\b", context_lines=0)
    assert [(match.name, match.line) for match in found.matches] == [("docs/garden.md", 3), ("docs/notes.txt", 1)]
    assert (await files.grep(kernel, agent_id, "figs", include=r"\.txt$")).by_file == (("docs/notes.txt", 1),)


@pytest.mark.parametrize("pattern", ["((", "(a+)+$"], ids=["wrong", "slow"])
async def test_no_pattern_holds_the_server_up(reader: Bench, pattern: str) -> None:
    await uploaded(reader, await folder_of(reader), "a.txt", "a" * 200 + "b")
    with pytest.raises(BadPattern):
        await files.grep(reader.runtime.kernel, reader.agent.id, pattern)


async def test_pieces_of_files_are_found_by_words_and_meaning_with_their_lines(reader: Bench) -> None:
    await uploaded(reader, await folder_of(reader), "garden.md", GARDEN)
    (hit,) = await files.search(reader.runtime.kernel, reader.agent.id, "colour of the spade", 5)
    assert (hit.name, hit.first_line, hit.last_line, hit.heading) == ("docs/garden.md", 1, 6, "Garden")
    assert list(await reader.runtime.memory.search_archive(reader.agent, "spade")) == []


class Picky(WordEmbedder):
    """Refuses one piece."""

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        if any("hose" in text for text in texts):
            raise EmbedderError("it does not like it")
        return await super().embed(texts, kind=kind)


async def test_a_piece_that_the_embedder_refuses_keeps_no_file_waiting(settings: Settings) -> None:
    async with bench(settings, embedder=Picky(), work=False) as reader:
        folder_id = await folder_of(reader)
        bad = await uploaded(reader, folder_id, "garden.md", GARDEN)
        good = await uploaded(reader, folder_id, "tea.md", "Green tea is brewed at seventy degrees.")
        assert [(await state_of(reader, file)).state for file in (bad, good)] == [FileState.completed] * 2
