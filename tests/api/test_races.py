"""Many clients at once: messages, while others edit what their agents share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import Any

import httpx
from letta_client import Letta

from pagemind.testing.openai_server import says
from pagemind.testing.served import Provider, Served

AGENTS, TALKERS, MESSAGES = 6, 6, 12


def test_messages_are_answered_while_others_edit_what_the_agents_share(
    server: Served, client: Letta, provider: Provider
) -> None:
    provider.will(says("Yes."))
    shared = client.blocks.create(label="shared", value="0")
    spare = client.blocks.create(label="spare", value="x")
    agents = [client.agents.create(model="openai/m", block_ids=[shared.id]).id for _ in range(AGENTS)]
    over, statuses = Event(), Counter[str]()

    def talk(talker: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as wire:
            for number in range(MESSAGES):
                agent = agents[(talker + number) % AGENTS]
                body = {"messages": [{"role": "user", "content": f"<{talker}.{number}>"}]}
                answer = wire.post(f"/v1/agents/{agent}/messages", json=body)
                statuses[f"{answer.status_code} {answer.text[:200] if answer.is_error else ''}"] += 1

    def meddle(edit: Callable[[httpx.Client, int], Any]) -> int:
        with httpx.Client(base_url=server.url, timeout=60) as wire:
            for number in count():
                if over.is_set():
                    return number
                edit(wire, number)
        return 0

    def edit_block(wire: httpx.Client, number: int) -> None:
        wire.patch(f"/v1/blocks/{shared.id}", json={"value": str(number)}).raise_for_status()

    def edit_agent(wire: httpx.Client, number: int) -> None:
        agent = agents[number % AGENTS]
        wire.patch(f"/v1/agents/{agent}", json={"description": str(number)}).raise_for_status()

    def attach(wire: httpx.Client, number: int) -> None:
        agent = agents[number % AGENTS]
        wire.patch(f"/v1/agents/{agent}/core-memory/blocks/attach/{spare.id}").raise_for_status()
        wire.patch(f"/v1/agents/{agent}/core-memory/blocks/detach/{spare.id}").raise_for_status()

    with ThreadPoolExecutor(TALKERS + 3) as pool:
        meddlers = [pool.submit(meddle, edit) for edit in (edit_block, edit_agent, attach)]
        talkers = [pool.submit(talk, talker) for talker in range(TALKERS)]
        try:
            for each in talkers:
                each.result()
        finally:
            over.set()
        assert all(each.result() > 0 for each in meddlers)

    assert statuses == {"200 ": TALKERS * MESSAGES}
    said = Counter(
        str(message.content)
        for agent in agents
        for message in client.agents.messages.list(agent, limit=200)
        if message.message_type == "user_message"
    )
    assert said == {f"<{talker}.{number}>": 1 for talker in range(TALKERS) for number in range(MESSAGES)}
