"""A folder of conversations of the LoCoMo form, stored as messages without a run of the loop: this is about search alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from pagemind.engine.runtime import Runtime
from pagemind.records import Conversation, Message, Role, Run, now
from pagemind.store import history, runs
from pagemind.testing.locomo.talk import ASKED_CATEGORIES, Question, Session, Talk, Turn, read_talk
from pagemind.testing.runtime import make_agent

DATE_FORM = "%I:%M %p on %d %B, %Y"
"""As ``1:56 pm on 8 May, 2023``."""


@dataclass(frozen=True)
class NamedTalk:
    """A conversation file, its turns in order, and the questions of the categories 1 to 4 that name any of them as evidence."""

    name: str
    talk: Talk
    turns: tuple[tuple[Session, Turn], ...]
    questions: tuple[Question, ...]


def talks_in(place: Path) -> list[NamedTalk]:
    """The conversations of a folder, or of one file, by name; none where it is missing. BadTalk names a file that is none."""
    files = sorted(place.glob("*.json")) if place.is_dir() else [place] if place.is_file() else []
    return [named(path.stem, read_talk(path)) for path in files]


def named(name: str, talk: Talk) -> NamedTalk:
    """The conversation, ready to be asked."""
    turns = tuple((session, turn) for session in talk.sessions for turn in session.turns)
    whole = talk.first(len(talk.sessions))
    return NamedTalk(name, talk, turns, tuple(each for each in whole.questions if each.category in ASKED_CATEGORIES))


@dataclass(frozen=True)
class Stored:
    """A conversation in the store: where its turns are, in their order, by ``seq`` 1, 2, ..."""

    conversation_id: UUID
    talk: NamedTalk


async def store(runtime: Runtime, talk: NamedTalk) -> Stored:
    """Store each turn as a message of a user, at the time of its session, and give it its vector."""
    agent = await make_agent(runtime, f"talk-{talk.name}", {"human": ""}, {})
    conversation = await runtime.new_conversation(agent)
    async with runtime.kernel.database.transaction() as session:
        run = Run(tenant_id=conversation.tenant_id, conversation_id=conversation.id, agent_id=conversation.agent_id)
        await runs.add(session, run)
        await history.add(session, list(messages(talk, conversation, run.id)))
    await runtime.indexed()
    return Stored(conversation.id, talk)


def messages(talk: NamedTalk, conversation: Conversation, run_id: UUID) -> Iterator[Message]:
    """The turns as messages; those of one session a second apart. A session without a readable time is of now."""
    place = 0
    for session in talk.talk.sessions:
        began = moment(session.when)
        for turn in session.turns:
            place += 1
            yield Message(
                tenant_id=conversation.tenant_id,
                conversation_id=conversation.id,
                run_id=run_id,
                seq=place,
                role=Role.user,
                content=undated(turn),
                created_at=began + timedelta(seconds=place),
            )


def moment(when: str) -> datetime:
    """When a session took place; now where its text is no date."""
    try:
        return datetime.strptime(when.strip(), DATE_FORM).replace(tzinfo=UTC)
    except ValueError:
        return now()


def undated(turn: Turn) -> str:
    """A turn as the baselines have it."""
    return f"{turn.speaker}: {turn.text}{f' [image: {turn.caption}]' if turn.caption else ''}"
