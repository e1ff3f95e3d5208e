from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from pagemind.errors import ReasonerCutOff, ReasonerRefused, ReasonerUnreachable
from pagemind.model.discover import find_reasoner
from pagemind.model.openai_reasoner import OpenAIReasoner
from pagemind.model.replicas import Replicas, weight
from pagemind.records import Completion, Prompt, PromptMessage
from pagemind.settings import Settings
from pagemind.testing.openai_server import (
    CHAT,
    MODELS,
    Held,
    OpenAIServer,
    answers,
    delta,
    openai_server,
    says,
    streams,
)
from pagemind.testing.vllm_server import dress_as_vllm

pytestmark = pytest.mark.anyio

TALKS = [f"conversation-{number}" for number in range(60)]


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def servers() -> AsyncIterator[list[OpenAIServer]]:
    async with AsyncExitStack() as opened:
        playing = [await opened.enter_async_context(openai_server()) for _ in range(3)]
        for server in playing:
            server.routes[CHAT] = says("Hello.")
        yield playing


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def replicas(servers: list[OpenAIServer], settings: Settings, clock: Clock) -> AsyncIterator[Replicas]:
    members = [OpenAIReasoner(settings, server.url) for server in servers]
    await asyncio.gather(*(member.learn() for member in members))
    made = Replicas(members, clock)
    yield made
    await made.close()


async def asked(replicas: Replicas, affinity: str, background: bool = False) -> Completion:
    prompt = Prompt((PromptMessage("user", "Hi"),), affinity=affinity, background=background)
    [*_, last] = [piece async for piece in replicas.stream(prompt)]
    assert isinstance(last, Completion)
    return last


def by_url(servers: list[OpenAIServer], url: str) -> OpenAIServer:
    return next(server for server in servers if server.url == url)


async def test_a_conversation_stays_where_it_was_said_to_go(replicas: Replicas) -> None:
    homes = {talk: replicas.home(talk) for talk in TALKS}
    for _ in range(2):
        assert {talk: (await asked(replicas, talk)).served_by for talk in TALKS} == homes


async def test_conversations_are_spread_over_all(replicas: Replicas) -> None:
    spread = Counter(replicas.home(f"talk {number}") for number in range(3_000))
    assert len(spread) == 3
    assert min(spread.values()) > 850


async def test_every_process_ranks_alike() -> None:
    assert weight("http://127.0.0.1:8000/v1", "conversation-1") == 12861041800337911629


async def test_only_the_conversations_of_a_replica_that_died_move(servers: list[OpenAIServer], replicas: Replicas) -> None:
    before = {talk: (await asked(replicas, talk)).served_by for talk in TALKS}
    gone = servers[0]
    await gone.stop()
    after = {talk: (await asked(replicas, talk)).served_by for talk in TALKS}
    assert {talk for talk in TALKS if before[talk] != after[talk]} == {talk for talk in TALKS if before[talk] == gone.url}
    assert gone.url not in after.values()
    assert {talk: replicas.home(talk) for talk in TALKS} == after


async def test_a_conversation_stays_where_it_went_when_the_dead_one_is_back(
    servers: list[OpenAIServer], replicas: Replicas, clock: Clock
) -> None:
    first = by_url(servers, replicas.home("a"))
    port = first.port
    await first.stop()
    second = (await asked(replicas, "a")).served_by
    await first.start(port)
    clock.now = 1_000.0
    assert second != first.url
    assert replicas.home("a") == (await asked(replicas, "a")).served_by == second
    new = next(talk for talk in TALKS if replicas.home(talk) == first.url)
    assert (await asked(replicas, new)).served_by == first.url


async def test_a_dead_replica_is_left_alone_for_longer_each_time(
    servers: list[OpenAIServer], replicas: Replicas, clock: Clock
) -> None:
    dead = by_url(servers, replicas.home("a"))
    await dead.stop()
    new = [talk for talk in TALKS if replicas.home(talk) == dead.url]
    await asked(replicas, new[0])
    assert replicas.home(new[1]) != dead.url
    clock.now = 1.5
    assert replicas.home(new[1]) == dead.url
    await asked(replicas, new[1])
    clock.now = 3.0
    assert replicas.home(new[2]) != dead.url
    clock.now = 4.0
    assert replicas.home(new[2]) == dead.url


async def test_settling_finds_the_one_that_is_up_before_anything_is_sent(
    servers: list[OpenAIServer], settings: Settings
) -> None:
    dead = max(servers, key=lambda server: weight(server.url, "a"))
    await dead.stop()
    replicas = Replicas([OpenAIReasoner(settings, server.url) for server in servers])
    assert await replicas.settle("a")
    home = replicas.home("a")
    assert home in {server.url for server in servers} - {dead.url}
    assert (await asked(replicas, "a")).served_by == home
    await replicas.close()


async def test_with_none_up_settling_says_so(servers: list[OpenAIServer], settings: Settings) -> None:
    for server in servers:
        await server.stop()
    replicas = Replicas([OpenAIReasoner(settings, server.url) for server in servers])
    assert not await replicas.settle("a")
    assert replicas.home("a") == ""
    await replicas.close()


async def test_a_reply_that_has_begun_is_not_asked_for_elsewhere(servers: list[OpenAIServer], replicas: Replicas) -> None:
    for server in servers:
        server.routes[CHAT] = streams(delta(content="Hel"), done=False)
    with pytest.raises(ReasonerCutOff):
        await asked(replicas, "a")
    assert sum(server.asked(CHAT) for server in servers) == 1


async def test_a_refusal_is_no_reason_to_ask_another(servers: list[OpenAIServer], replicas: Replicas) -> None:
    for server in servers:
        server.routes[CHAT] = answers(401, {"error": {"message": "bad key"}})
    with pytest.raises(ReasonerRefused):
        await asked(replicas, "a")
    assert sum(server.asked(CHAT) for server in servers) == 1


async def test_with_all_of_them_down_the_error_is_told(servers: list[OpenAIServer], replicas: Replicas) -> None:
    for server in servers:
        await server.stop()
    for _ in range(2):
        with pytest.raises(ReasonerUnreachable):
            await asked(replicas, "a")


async def test_no_replica_is_given_much_more_than_its_share(servers: list[OpenAIServer], replicas: Replicas) -> None:
    held = Held(says("Hello."))
    for server in servers:
        server.routes[CHAT] = held
    mine = [talk for talk in (f"talk {number}" for number in range(200)) if replicas.home(talk) == servers[0].url][:12]
    calls = [asyncio.create_task(asked(replicas, talk)) for talk in mine]
    await held.until(len(mine))
    loads = [server.asked(CHAT) for server in servers]
    held.go()
    moved = [reply.served_by for reply in await asyncio.gather(*calls)]
    assert max(loads) <= 5  # 1.25 * 12 / 3
    assert loads[0] == moved.count(servers[0].url) == 5
    assert [replicas.home(talk) for talk in mine] == moved


async def test_the_window_is_the_smallest_and_each_is_asked_for_its_own_model(
    servers: list[OpenAIServer], settings: Settings
) -> None:
    for number, server in enumerate(servers):
        dress_as_vllm(server, start=f"1.{number}")
        server.routes[MODELS] = answers(200, {"data": [{"id": f"m{number}", "max_model_len": 9000 - number}]})
    urls = ", ".join(server.url.replace("http://", "http://ada:secret@") for server in servers)
    reasoner = await find_reasoner(settings, {"endpoint": urls})
    assert isinstance(reasoner, Replicas)
    assert reasoner.window_tokens == 8998
    assert reasoner.model == "m0"
    assert reasoner.url == ",".join(server.url for server in servers)
    assert "secret" not in reasoner.name + reasoner.url + reasoner.home("a")
    for talk in TALKS[:12]:
        prompt = Prompt((PromptMessage("user", "Hi"),), affinity=talk, model=reasoner.model)
        assert [piece async for piece in reasoner.stream(prompt)]
    sent = {server.url: {request.body["model"] for request in server.seen if request.path == CHAT} for server in servers}
    assert sent == {server.url: {f"m{number}"} for number, server in enumerate(servers)}
    await reasoner.close()


async def test_one_url_is_no_list_and_commas_alone_are_no_server(servers: list[OpenAIServer], settings: Settings) -> None:
    url = servers[0].url
    one = await find_reasoner(settings.model_copy(update={"reasoner_url": f"{url},{url},", "reasoner_api_key": SecretStr("k")}))
    none = await find_reasoner(settings.model_copy(update={"reasoner_url": ","}))
    assert (one.url, one.model) == (url, "m")
    with pytest.raises(ReasonerUnreachable):
        assert [piece async for piece in none.stream(Prompt((PromptMessage("user", "Hi"),)))]
    for reasoner in (one, none):
        await reasoner.close()


async def test_a_prompt_of_no_conversation_goes_where_least_is_under_way(
    servers: list[OpenAIServer], replicas: Replicas
) -> None:
    held = Held(says("Hello."))
    for server in servers:
        server.routes[CHAT] = held
    calls = [asyncio.create_task(asked(replicas, "")) for _ in range(6)]
    await held.until(len(calls))
    assert [server.asked(CHAT) for server in servers] == [2, 2, 2]
    held.go()
    await asyncio.gather(*calls)
