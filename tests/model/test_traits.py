from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import accumulate, chain

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pagemind.errors import ReasonerUnreachable
from pagemind.model.openai_reasoner import OpenAIReasoner
from pagemind.model.traits import Traits
from pagemind.records import CallRequest, Completion, Prompt, PromptMessage, ToolSchema
from pagemind.settings import Settings
from pagemind.testing.openai_server import CHAT, MODELS, OpenAIServer, Request, Write, answers, in_turn, says
from pagemind.testing.vllm_server import METRICS, TOKENIZE, VERSION, WordTemplate, dress_as_vllm, replies_ok, tells

pytestmark = pytest.mark.anyio

NOTE = ToolSchema("note", "Note it.", {"type": "object", "properties": {"text": {"type": "string"}}})
SYSTEM = PromptMessage("system", "You remember things.")
HI = PromptMessage("user", "Hi there")
PROMPT = Prompt((SYSTEM, HI), (NOTE,))


@pytest.fixture
async def reasoner(server: OpenAIServer, settings: Settings) -> AsyncIterator[OpenAIReasoner]:
    made = OpenAIReasoner(settings, server.url)
    yield made
    await made.close()


async def whole(reasoner: OpenAIReasoner, prompt: Prompt = PROMPT) -> Completion:
    [*_, last] = [piece async for piece in reasoner.stream(prompt)]
    assert isinstance(last, Completion)
    return last


def traits_of(reasoner: OpenAIReasoner) -> Traits:
    [(_, traits)] = reasoner.traits
    return traits


async def test_vllm_is_known_by_what_it_says_of_itself(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    await reasoner.learn()
    traits = traits_of(reasoner)
    assert (traits.vllm, traits.start, traits.counts_chats, traits.keeps_thinking) == ("0.32.0", "1.7e+09", True, True)
    assert (traits.dialect.strict, traits.dialect.priority, traits.dialect.cache_salt) == (True, True, True)
    assert (traits.dialect.merges_users, traits.dialect.reasoning_field) == (False, "reasoning")
    assert reasoner.home("a") == f"{server.url}#1.7e+09"


async def test_a_plain_server_is_asked_once_and_gets_plain_requests(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = says("Hello.")
    await whole(reasoner, Prompt(PROMPT.messages, PROMPT.tools, background=True, cache_salt="salt"))
    asked = len(server.seen)
    await whole(reasoner)
    assert len(server.seen) == asked + 1
    [first, _] = [request.body for request in server.seen if request.path == CHAT]
    assert first.keys() == {"max_tokens", "messages", "model", "stream", "stream_options", "tools"}
    assert "strict" not in first["tools"][0]["function"]
    assert reasoner.home("a") == server.url


async def test_a_version_alone_does_not_make_a_vllm(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[VERSION] = answers(200, {"version": "v2.1"})
    await reasoner.learn()
    assert traits_of(reasoner).vllm == ""


async def test_vllm_gets_strict_tools_a_salt_and_a_place_for_background_calls(
    server: OpenAIServer, reasoner: OpenAIReasoner
) -> None:
    dress_as_vllm(server)
    await whole(reasoner, Prompt(PROMPT.messages, PROMPT.tools, cache_salt="salt", tool_choice="none"))
    await whole(reasoner, Prompt(PROMPT.messages, background=True))
    waited_for, background = [request.body for request in server.seen if request.path == CHAT]
    assert waited_for["tools"][0]["function"]["strict"] is True
    assert (waited_for["cache_salt"], waited_for["tool_choice"]) == ("salt", "none")
    assert "priority" not in waited_for
    assert background["priority"] > 0
    assert background.keys() & {"cache_salt", "tools", "tool_choice"} == set()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("priority", "Got priority 100 but priority scheduling is not enabled."),
        ("cache_salt", "Parameter 'cache_salt' is not supported with this instance of vLLM."),
        ("strict", "Failed to compile the grammar: unsupported json schema keyword"),
    ],
)
async def test_an_extra_that_is_refused_is_left_out_at_once_and_never_sent_again(
    server: OpenAIServer, reasoner: OpenAIReasoner, extra: str, message: str
) -> None:
    dress_as_vllm(server)

    async def refuse(request: Request, write: Write) -> None:
        has = '"strict": True' if extra == "strict" else extra
        play = answers(400, {"error": {"message": message}}) if has in sent(request) else replies_ok(WordTemplate())
        await play(request, write)

    server.routes[CHAT] = refuse
    prompt = Prompt(PROMPT.messages, PROMPT.tools, background=True, cache_salt="salt")
    assert [(await whole(reasoner, prompt)).text for _ in range(2)] == ["ok", "ok"]
    bodies = [sent(request) for request in server.seen if request.path == CHAT]
    assert ["priority" in body for body in bodies] == [True, extra != "priority", extra != "priority"]
    assert ["cache_salt" in body for body in bodies] == [True, extra != "cache_salt", extra != "cache_salt"]
    assert ["strict" in body for body in bodies] == [True, extra != "strict", extra != "strict"]


def sent(request: Request) -> str:
    return repr(request.body).replace("'", '"')


async def test_thinking_goes_back_only_where_earlier_turns_keep_it(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server, WordTemplate(keeps_thinking=False))
    await whole(reasoner, Prompt((HI, PromptMessage("assistant", "Hello", reasoning="Polite."), HI)))
    assert "Polite" not in str(server.seen[-1].body)
    assert not traits_of(reasoner).keeps_thinking


async def test_thinking_goes_back_in_the_field_that_the_server_reads(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server, WordTemplate(reasoning_field="reasoning_content"))
    await whole(reasoner, Prompt((HI, PromptMessage("assistant", "Hello", reasoning="Polite."), HI)))
    assert server.seen[-1].body["messages"][1]["reasoning_content"] == "Polite."


@pytest.mark.parametrize(
    ("template", "users"),
    [(WordTemplate(), 2), (WordTemplate(alternates=True), 1), (WordTemplate(merges_users=True), 1)],
)
async def test_users_in_a_row_stay_apart_where_the_template_prints_them_so(
    server: OpenAIServer, reasoner: OpenAIReasoner, template: WordTemplate, users: int
) -> None:
    dress_as_vllm(server, template)
    await whole(reasoner, Prompt((SYSTEM, HI, HI)))
    assert [message["role"] for message in server.seen[-1].body["messages"]] == ["system", *["user"] * users]


@pytest.mark.parametrize("status", [400, 500])
async def test_users_in_a_row_are_put_together_once_a_server_complains_of_them(
    server: OpenAIServer, reasoner: OpenAIReasoner, status: int
) -> None:
    refusal = answers(status, {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}})
    server.routes[CHAT] = in_turn(refusal, says("Yes."))
    for _ in range(2):
        await whole(reasoner, Prompt((SYSTEM, HI, HI)))
    sent = [[each["role"] for each in request.body["messages"]] for request in server.seen if request.path == CHAT]
    assert sent == [["system", "user", "user"], ["system", "user"], ["system", "user"]]


async def test_another_life_is_noticed_after_a_lost_connection_and_asked_anew(
    server: OpenAIServer, reasoner: OpenAIReasoner
) -> None:
    dress_as_vllm(server)
    first = (await whole(reasoner)).served_by
    assert first == reasoner.home("a")
    port = server.port
    await server.stop()
    with pytest.raises(ReasonerUnreachable):
        await whole(reasoner)
    assert not await reasoner.settle("a")
    await server.start(port)
    dress_as_vllm(server, WordTemplate(alternates=True), start="1.8e+09")
    second = (await whole(reasoner)).served_by
    assert (first, second) == (f"{server.url}#1.7e+09", f"{server.url}#1.8e+09")
    assert traits_of(reasoner).dialect.merges_users


async def test_the_same_life_is_not_asked_twice(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    await whole(reasoner)
    port = server.port
    await server.stop()
    with pytest.raises(ReasonerUnreachable):
        await whole(reasoner)
    await server.start(port)
    asked = [server.asked(path) for path in (MODELS, VERSION, TOKENIZE)]
    await whole(reasoner)
    assert [server.asked(path) for path in (MODELS, VERSION, TOKENIZE)] == asked
    assert server.asked(METRICS) == 2


async def test_another_life_is_noticed_after_a_quiet_while_before_anything_is_sent(
    server: OpenAIServer, settings: Settings
) -> None:
    now = [0.0]
    reasoner = OpenAIReasoner(settings, server.url, clock=lambda: now[0])
    assert reasoner.home("a") == ""
    dress_as_vllm(server)
    assert await reasoner.settle("a")
    dress_as_vllm(server, start="1.8e+09")
    now[0] = 10.0
    assert await reasoner.settle("a")
    assert reasoner.home("a").endswith("#1.7e+09")
    now[0] = 20.0
    assert await reasoner.settle("a")
    assert reasoner.home("a").endswith("#1.8e+09")
    assert server.asked(CHAT) == 0
    await reasoner.close()


async def test_without_a_start_time_the_life_is_just_the_url(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    server.routes[METRICS] = tells("vllm:num_requests_running 0\n")
    assert (await whole(reasoner)).served_by == server.url == reasoner.home("a")


# --- counts ------------------------------------------------------------------------------------------------------------

TEXTS = st.text("ab \n", max_size=12)
CALL_IDS = st.sampled_from(["c1", "c2"])


@st.composite
def steps(draw: st.DrawFn) -> list[PromptMessage]:
    """A reply without calls, or with calls and all their returns."""
    calls = tuple(CallRequest(each, "note", "{}") for each in draw(st.lists(CALL_IDS, unique=True)))
    reply = PromptMessage("assistant", draw(TEXTS), calls=calls, reasoning=draw(TEXTS))
    return [reply, *(PromptMessage("tool", draw(TEXTS), call_id=call.id, name="note") for call in calls)]


@st.composite
def conversations(draw: st.DrawFn) -> list[list[PromptMessage]]:
    """Groups as the engine appends them: snapshot, summary, then runs of a user's message and steps; the newest is a user's."""
    head = [[PromptMessage("user", draw(TEXTS))] for _ in range(draw(st.integers(0, 2)))]
    runs = draw(st.lists(st.lists(steps(), min_size=1, max_size=3), max_size=3))
    talk = [group for run in runs for group in ([PromptMessage("user", draw(TEXTS))], *run)]
    return [*head, *talk, [HI]]


@given(groups=conversations(), keeps=st.booleans())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_frame_and_groups_sum_up_to_what_the_server_charges(
    server: OpenAIServer, groups: Sequence[Sequence[PromptMessage]], keeps: bool
) -> None:
    dress_as_vllm(server, WordTemplate(keeps_thinking=keeps), start=f"1.{int(keeps)}")
    reasoner = OpenAIReasoner(Settings(), server.url)
    counted = await reasoner.tokens.frame(SYSTEM, [NOTE]) + sum([await reasoner.tokens.added(group) for group in groups])
    prompt = Prompt((SYSTEM, *(message for group in groups for message in group)), (NOTE,))
    assert (await whole(reasoner, prompt)).usage.prompt_tokens == counted
    await reasoner.close()


async def test_counts_stay_exact_where_roles_must_alternate(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server, WordTemplate(alternates=True))
    reply = PromptMessage("assistant", "", calls=(CallRequest("c1", "note", "{}"),))
    groups = [[HI], [reply, PromptMessage("tool", "Done it.", call_id="c1")], [PromptMessage("assistant", "Yes.")], [HI]]
    sums = list(accumulate([await reasoner.tokens.added(group) for group in groups]))
    frame = await reasoner.tokens.frame(SYSTEM, [NOTE])
    prompts = [Prompt((SYSTEM, *chain(*groups[:end])), (NOTE,)) for end in (1, 2)]
    assert [(await whole(reasoner, prompt)).usage.prompt_tokens for prompt in prompts] == [frame + sums[0], frame + sums[1]]


async def test_a_group_is_counted_by_the_server_once(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    await reasoner.learn()
    counts = [await reasoner.tokens.added([HI]) for _ in range(3)]
    asked = server.asked(TOKENIZE)
    counts += [await reasoner.tokens.added([HI]), await reasoner.tokens.added([HI])]
    assert set(counts) == {4}
    assert server.asked(TOKENIZE) == asked


async def test_a_returns_own_tokens_can_be_counted_alone(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    assert await reasoner.tokens.added([PromptMessage("tool", "Done it.", call_id="c1", name="note")]) == 4


async def test_where_chats_are_not_counted_texts_are(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    await reasoner.learn()
    assert await reasoner.tokens.added([HI]) == await reasoner.tokens.count("Hi there")
    assert await reasoner.tokens.frame(SYSTEM, []) == await reasoner.tokens.count(SYSTEM.content)


async def test_a_count_while_the_server_is_down_is_not_remembered(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    dress_as_vllm(server)
    port = server.port
    await server.stop()
    estimated = await reasoner.tokens.added([HI])
    await server.start(port)
    await whole(reasoner)
    assert (estimated, await reasoner.tokens.added([HI])) == (2, 4)
