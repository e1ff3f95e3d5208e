from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from pagemind.errors import ContextTooLong
from pagemind.model.check import check_reasoner
from pagemind.model.demo import DemoReasoner
from pagemind.records import CallRequest, Completion, Prompt, PromptMessage, TextPiece, ToolSchema

pytestmark = pytest.mark.anyio

TOOLS = ("core_memory_append", "core_memory_replace", "archival_memory_insert", "archival_memory_search", "conversation_search")


@dataclass
class Talk:
    """A conversation with the demo reasoner; ``results`` answers its calls by tool name."""

    blocks: dict[str, str] = field(default_factory=lambda: {"persona": "I am helpful.", "human": ""})
    read_only: tuple[str, ...] = ()
    tools: tuple[str, ...] = TOOLS
    results: dict[str, str] = field(default_factory=dict[str, str])
    messages: list[PromptMessage] = field(default_factory=list[PromptMessage])
    calls: list[CallRequest] = field(default_factory=list[CallRequest])

    def prompt(self) -> Prompt:
        shown = "\n".join(
            f'<block label="{label}"{" read_only=" + chr(34) + "true" + chr(34) if label in self.read_only else ""} '
            f'limit_chars="100" description="All > of it">\n{value}\n</block>'
            for label, value in self.blocks.items()
        )
        head = PromptMessage("system", "Rules."), PromptMessage("user", f"<memory_blocks>\n{shown}\n</memory_blocks>")
        return Prompt((*head, *self.messages), tuple(ToolSchema(name, "", {}) for name in self.tools))

    async def say(self, text: str) -> str:
        """The answer to a message, all calls on the way made."""
        self.messages.append(PromptMessage("user", text))
        self.calls.clear()
        for _ in range(6):
            reply = await completion(self.prompt())
            self.messages.append(PromptMessage("assistant", reply.text, calls=reply.calls))
            if not reply.calls:
                return reply.text
            self.calls += reply.calls
            for call in reply.calls:
                result = self.results.get(call.name, "Done.")
                self.messages.append(PromptMessage("tool", result, call_id=call.id, name=call.name))
        pytest.fail("it goes on and on")

    @property
    def called(self) -> list[tuple[str, dict[str, str]]]:
        return [(call.name, json.loads(call.arguments)) for call in self.calls]


async def completion(prompt: Prompt, reasoner: DemoReasoner | None = None) -> Completion:
    pieces = [piece async for piece in (reasoner or DemoReasoner()).stream(prompt)]
    last = pieces[-1]
    assert isinstance(last, Completion)
    assert "".join(piece.text for piece in pieces if isinstance(piece, TextPiece)) == last.text
    return last


async def test_a_name_is_noted_in_the_human_block() -> None:
    talk = Talk()
    assert "Ana" in await talk.say("Hi, my name is Ana.")
    assert talk.called == [("core_memory_append", {"label": "human", "content": "Name: Ana"})]


async def test_a_new_name_takes_the_place_of_the_old_one() -> None:
    talk = Talk(blocks={"human": "Name: Ana\nLives in Porto"})
    await talk.say("Call me Bea")
    assert talk.called == [("core_memory_replace", {"label": "human", "old_content": "Name: Ana", "new_content": "Name: Bea"})]


async def test_what_was_noted_a_moment_ago_is_known_though_the_snapshot_is_old() -> None:
    talk = Talk()
    await talk.say("My name is Ana and I live in Porto.")
    assert [arguments["content"] for _, arguments in talk.called] == ["Name: Ana", "Lives in Porto"]
    assert "Porto" in await talk.say("Where do I live?")
    assert talk.called == []
    talk.messages.append(PromptMessage("user", "<time>Monday 2026-01-05 10:00 UTC</time>"))
    assert "Ana" in await talk.say("what's my name")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("I'm Ana.", "Name: Ana"),
        ("I really love green tea!", "Loves green tea"),
        ("I live in Porto", "Lives in Porto"),
        ("Remember that the launch is on Friday.", "The launch is on Friday."),
        ("please remember: I prefer trains", "Prefers trains"),
        ("My favourite colour is green.", "Favourite colour: green"),
        ("I work at the harbour.", "Works at the harbour"),
    ],
)
async def test_facts_are_noted(text: str, line: str) -> None:
    talk = Talk()
    await talk.say(text)
    assert talk.called == [("core_memory_append", {"label": "human", "content": line})]


@pytest.mark.parametrize("text", ["I'm tired.", "I am not sure about it", "Tea.", "The launch went well.", "🙂", "\u202eabc"])
async def test_what_no_rule_fits_calls_nothing_and_is_answered(text: str) -> None:
    talk = Talk()
    assert await talk.say(text)
    assert talk.called == []


async def test_archive_goes_to_the_archive() -> None:
    talk = Talk()
    assert "archive" in await talk.say("Archive this: The key is under the mat. It is blue.")
    assert talk.called == [("archival_memory_insert", {"content": "The key is under the mat. It is blue."})]


async def test_forgetting_takes_the_whole_line_out() -> None:
    talk = Talk(blocks={"human": "Name: Ana\nLives in Porto"})
    assert "Porto" in await talk.say("Forget where I live")
    assert talk.called == [("core_memory_replace", {"label": "human", "old_content": "\nLives in Porto", "new_content": ""})]


async def test_a_question_is_searched_and_answered_word_for_word() -> None:
    talk = Talk(
        results={
            "archival_memory_search": "- [2023-05-08] The dentist is on Tuesday (tags: health)\n- [2023-05-09] Tea is green",
            "conversation_search": "#12 user 2023-05-08 10:30: My dentist moved to Porto\n"
            "#14 user 2023-05-08 11:00: When is the dentist?",
        }
    )
    said = await talk.say("When is the dentist?")
    assert {name for name, _ in talk.called} == {"archival_memory_search", "conversation_search"}
    assert "“The dentist is on Tuesday” (2023-05-08)" in said
    assert "“My dentist moved to Porto” (#12, 2023-05-08 10:30)" in said
    assert "green" not in said
    assert "#14" not in said


async def test_finding_nothing_is_said() -> None:
    talk = Talk(results={"archival_memory_search": "Nothing found.", "conversation_search": "Nothing found."})
    assert "found nothing" in await talk.say("Who is Karl?")


async def test_a_full_block_sends_the_line_to_the_archive() -> None:
    talk = Talk(results={"core_memory_append": "Refused: The block 'human' would hold 101 characters of 100 allowed."})
    assert "archive" in await talk.say("I like tea")
    assert [name for name, _ in talk.called] == ["core_memory_append", "archival_memory_insert"]


async def test_it_always_ends_whatever_is_refused() -> None:
    talk = Talk(results=dict.fromkeys(TOOLS, "Refused: no."))
    said = await talk.say("My name is Ana and I live in Porto. I like tea. I hate rain. Who is Karl?")
    assert len(talk.calls) <= 4
    assert "Refused: no." in said


async def test_it_uses_only_the_tools_and_blocks_there_are() -> None:
    without_blocks = Talk(blocks={})
    await without_blocks.say("I like tea")
    assert [name for name, _ in without_blocks.called] == ["archival_memory_insert"]
    locked = Talk(blocks={"human": "", "notes": ""}, read_only=("human",))
    await locked.say("I like tea")
    assert locked.called == [("core_memory_append", {"label": "notes", "content": "Likes tea"})]
    bare = Talk(tools=())
    assert "no tool" in await bare.say("I like tea")
    assert "no tool" in await bare.say("Who is Karl?")


async def test_notices_from_outside_are_read() -> None:
    talk = Talk(blocks={"human": "Name: Ana"})
    notice = '<memory_notice>\nThe block "human" was changed by person:ana. It now reads:\nName: Zoe\n</memory_notice>'
    talk.messages.append(PromptMessage("user", notice))
    assert "Zoe" in await talk.say("What is my name?")


async def test_an_unusable_reply_ends_the_turn() -> None:
    talk = Talk()
    talk.messages += [PromptMessage("user", "I like tea"), PromptMessage("user", "<runtime_notice>\nbad\n</runtime_notice>")]
    assert not (await completion(talk.prompt())).calls


async def test_it_says_what_it_is_and_how_to_get_a_real_model() -> None:
    for text in ("hello", "help", "What can you do?", "Are you a language model?"):
        said = await Talk().say(text)
        assert "not a language model" in said
        assert "PAGEMIND_REASONER_URL" in said


async def test_a_prompt_beyond_the_window_is_refused_as_by_a_server() -> None:
    with pytest.raises(ContextTooLong):
        await completion(Talk().prompt(), DemoReasoner(window_tokens=10))


async def test_usage_is_counted() -> None:
    reply = await completion(Talk(messages=[PromptMessage("user", "I like tea")]).prompt())
    assert reply.usage.prompt_tokens
    assert reply.usage.completion_tokens
    assert reply.usage.cached_tokens is None


SUMMARY = """<earlier_summary>
Ana lives in Porto. (2023-05-01, #2)
</earlier_summary>

<messages>
#5 user 2023-05-08: Hello! My sister Rita arrives on 12 May. What do you think?
#6 assistant 2023-05-08: I noted it. [calls note {"x": 1}]
#7 tool note 2023-05-08: Done.
#8 user 2023-05-09: I like tea
It is green.

</messages>

Write the new summary now."""


async def test_a_summary_keeps_the_earlier_lines_and_names_the_messages() -> None:
    prompt = Prompt((PromptMessage("system", "s"), PromptMessage("user", SUMMARY)), purpose="summary", max_reply_tokens=200)
    assert (await completion(prompt)).text.split("\n") == [
        "Ana lives in Porto. (2023-05-01, #2)",
        "My sister Rita arrives on 12 May. (2023-05-08, #5)",
        "I like tea (2023-05-09, #8)",
    ]


async def test_a_summary_stays_within_its_tokens_and_drops_what_tells_least() -> None:
    prompt = Prompt((PromptMessage("user", SUMMARY),), purpose="summary", max_reply_tokens=45)
    reply = await completion(prompt)
    assert (reply.usage.completion_tokens or 0) <= 45
    assert "Rita" in reply.text


async def test_it_passes_doctors_checks() -> None:
    results = await check_reasoner(DemoReasoner())
    assert [result.name for result in results] == ["reachable", "streams", "calls tools", "context length", "tokenizer"]
    assert all(result.ok for result in results)


async def test_a_line_of_other_peoples_conversation_is_heard_and_not_acted_on() -> None:
    talk = Talk()
    for line in ("[8 May, 2023] Anna: What is my name? Remember the milk.", "[14:05] Jo O'Neil: I live in Bern."):
        assert await talk.say(line) == "Noted."
        assert not talk.calls
    await talk.say("[note] what is Anna: a person?")
    assert [call.name for call in talk.calls] == ["archival_memory_search", "conversation_search"]
