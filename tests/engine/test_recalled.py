"""What a search brought back is never taken for something new: not by a summary, an index, an export or the agent itself."""

import pytest
from sqlalchemy import text

from pagemind.memory.faulting import worth_keeping
from pagemind.records import Message, Prompt
from pagemind.settings import Settings
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio
WINDOW = 2_048
FACT = "The vault opens with 4711."


async def until_summarized(chat: Bench) -> Prompt:
    """Talk until something is paged out; the prompt that the summary was asked for with."""
    for _ in range(40):
        chat.model.will("Sheep.")
        await chat.ask("sheep " * 100)
        for prompt in chat.model.prompts:
            if prompt.purpose == "summary":
                return prompt
    raise AssertionError("nothing was paged out")


def said_in(prompt: Prompt) -> str:
    return "\n".join(message.content for message in prompt.messages)


async def history(chat: Bench) -> list[Message]:
    return await chat.runtime.history(chat.conversation.id, 500)


async def test_a_searchs_return_is_marked_and_nothing_else_is(chat: Bench) -> None:
    await chat.memory.insert(chat.agent, FACT)
    chat.model.will(
        [
            call("archival_memory_search", call_id="a", query="vault"),
            call("conversation_search", call_id="b", query="unheard-of"),
            call("core_memory_append", call_id="c", label="human", content="Has a vault."),
        ],
        "Found.",
    )
    await chat.ask("How does it open?")
    marked = {m.call_id: m.recalled for m in await history(chat) if m.role == "tool"}
    assert marked["a"]
    assert not marked["c"]
    assert not any(m.recalled for m in await history(chat) if m.role != "tool")


@pytest.mark.parametrize("cached", [False, True], ids=["in a prompt of its own", "at the end of the window"])
async def test_a_summary_is_asked_for_without_what_a_search_brought_back(settings: Settings, *, cached: bool) -> None:
    model = ScriptedReasoner(WINDOW)
    async with bench(settings, model=model, embedder=HashEmbedder(), memory={"summary_tokens": 64}) as chat:
        model.home_name = "server 1" if cached else ""
        await chat.memory.insert(chat.agent, FACT)
        await chat.memory.insert(chat.agent, "The vault is green.")
        chat.model.will(call("archival_memory_search", query="vault"), "I looked it up.")
        await chat.ask("Do you know the vault?")
        assert FACT in next(m.content for m in await history(chat) if m.role == "tool")
        prompt = await until_summarized(chat)
    assert prompt.tools == () or cached
    assert "4711" not in said_in(prompt)
    assert "It brought back 2 hits; what they say stands in memory already." in said_in(prompt)
    assert "Do you know the vault?" in said_in(prompt)
    assert "I looked it up." in said_in(prompt)


async def test_what_a_search_brought_back_gets_no_vector(chat: Bench) -> None:
    await chat.memory.insert(chat.agent, FACT)
    chat.model.will(call("archival_memory_search", query="vault"), "Found.")
    await chat.ask("How does it open?")
    await chat.runtime.indexed()
    async with chat.runtime.kernel.database.transaction() as session:
        roles = await session.execute(
            text("SELECT m.role, m.recalled FROM message_embeddings e JOIN messages m ON m.id = e.message_id ORDER BY m.seq")
        )
    assert [tuple(row) for row in roles] == [("user", False), ("assistant", False)]


async def test_an_agent_that_stores_what_it_found_word_for_word_is_told_that_it_stands(chat: Bench) -> None:
    first = await chat.memory.insert(chat.agent, FACT)
    chat.model.will(
        call("archival_memory_search", query="vault"), call("archival_memory_insert", content=FACT, tags=["vault"]), "Stored."
    )
    await chat.ask("Look it up and store it.")
    [found] = (await chat.memory.search_archive(chat.agent, "vault")).hits
    assert (found.id, found.tags) == (first.id, ("vault",))
    assert [m.content for m in await history(chat) if m.name == "archival_memory_insert"] == [
        f"Already stored on {first.created_at:%Y-%m-%d}: {FACT}"
    ]


def test_what_a_search_brought_back_does_not_stay_in_view_as_if_it_were_said(settings: Settings) -> None:
    said = Message(tenant_id=settings.tenant_id, conversation_id=settings.tenant_id, role="user", content="x", seq=1, tokens=5)
    echo = said.model_copy(update={"role": "tool", "seq": 2, "recalled": True})
    assert worth_keeping([said, echo], {1: 2, 2: 3}, 100) == [said]
