"""Random searches under random filters bring what plain Python says they must, and nothing of another tenant."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pagemind.records import Filters, Message, Passage, Role, Run, now
from pagemind.records.search import CONFIDENCE
from pagemind.settings import Settings
from pagemind.store import archives, history, passages, runs
from pagemind.testing import Bench, bench
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

WORDS = ("zorb", "quix", "flim", "dran", "mook", "vant", "plim", "grob", "skiv", "tolb")
TAGS = ("a", "b", "it's", 'd"d', "e,e", "f\\f", "{g}")
SOURCES = ("person:ada", "file:x.md", "agent:b")
ORIGINS = tuple(CONFIDENCE)
ROLES = (Role.user, Role.assistant, Role.tool)
PEOPLE = tuple(UUID(int=number) for number in (1, 2, 3))
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 40
ROWS = 120
NONE: frozenset[UUID] = frozenset()
NEARLY_NOTHING = 2e-3
"""A stored vector is one of halves: a cosine that small may be on either side of 0."""

moments = st.one_of(st.none(), st.integers(-2, DAYS + 2).map(lambda days: BEGAN + timedelta(days=days)))
queries = st.lists(st.sampled_from((*WORDS, "unheard", "n17")), min_size=1, max_size=5).map(" ".join)
filters_of_passages = st.builds(
    Filters,
    tags=st.lists(st.sampled_from((*TAGS, "nobody's")), max_size=3, unique=True).map(tuple),
    all_tags=st.booleans(),
    after=moments,
    before=moments,
    sources=st.lists(st.sampled_from(SOURCES), max_size=2, unique=True).map(tuple),
    origins=st.lists(st.sampled_from(ORIGINS), max_size=2, unique=True).map(tuple),
    identity_ids=st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True).map(tuple),
    least_confidence=st.sampled_from((0.0, 0.5, 0.85, 0.95)),
)
filters_of_messages = st.builds(
    Filters,
    after=moments,
    before=moments,
    roles=st.lists(st.sampled_from([str(role) for role in ROLES]), max_size=2, unique=True).map(tuple),
)
plenty = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def made_passages(tenant_id: UUID, archive_id: UUID, seed: int) -> list[Passage]:
    """Passages of every kind, some expired, some superseded."""
    chance = random.Random(seed)
    return [
        Passage(
            tenant_id=tenant_id,
            archive_id=archive_id,
            text=f"{' '.join(chance.choices(WORDS, k=3))} n{number}",
            tags=chance.sample(TAGS, chance.randrange(4)),
            source=chance.choice(SOURCES),
            origin=chance.choice(ORIGINS),
            confidence=chance.choice((None, 0.3, 0.9, 1.0)),
            identity_id=chance.choice((None, *PEOPLE)),
            expires_at=chance.choice((None, None, now() - timedelta(days=1), now() + timedelta(days=1))),
            superseded_at=chance.choice((None, None, None, now())),
            created_at=BEGAN + timedelta(days=chance.uniform(0, DAYS)),
        )
        for number in range(ROWS)
    ]


def made_messages(chat: Bench, run_id: UUID, seed: int) -> list[Message]:
    """Messages of every role."""
    chance = random.Random(seed)
    return [
        Message(
            tenant_id=chat.agent.tenant_id,
            conversation_id=chat.conversation.id,
            run_id=run_id,
            seq=seq,
            role=chance.choice(ROLES),
            content=f"{' '.join(chance.choices(WORDS, k=3))} n{seq}",
            created_at=BEGAN + timedelta(days=chance.uniform(0, DAYS)),
        )
        for seq in range(1, ROWS + 1)
    ]


class Filled:
    """An agent with its rows, known here as they were written."""

    def __init__(self, chat: Bench) -> None:
        self.chat = chat
        self.passages: list[Passage] = []
        self.messages: list[Message] = []

    async def fill(self, seed: int) -> None:
        """Store the rows and their vectors."""
        tenant_id, conversation = self.chat.agent.tenant_id, self.chat.conversation
        async with self.chat.runtime.kernel.database.transaction() as session:
            archive = await archives.archive_of(session, self.chat.agent)
            self.passages = made_passages(tenant_id, archive.id, seed)
            for passage in self.passages:
                await passages.insert(session, passage)
            run = Run(tenant_id=tenant_id, conversation_id=conversation.id, agent_id=self.chat.agent.id)
            await runs.add(session, run)
            self.messages = made_messages(self.chat, run.id, seed)
            await history.add(session, self.messages)
        await self.chat.runtime.indexed()


@pytest.fixture
async def filled(settings: Settings) -> AsyncGenerator[Filled]:
    """An agent with rows, beside another tenant's that has rows of the same words."""
    other = settings.model_copy(update={"tenant_id": uuid4()})
    async with bench(settings, embedder=HashEmbedder()) as chat, bench(other, embedder=HashEmbedder()) as stranger:
        await Filled(stranger).fill(seed=2)
        mine = Filled(chat)
        await mine.fill(seed=1)
        yield mine


def passes(row: Passage, wanted: Filters) -> bool:
    """Whether the filters let the passage through."""
    trust = CONFIDENCE[row.origin] if row.confidence is None else row.confidence
    tags = set(wanted.tags)
    return (
        row.superseded_at is None
        and (row.expires_at is None or row.expires_at > now())
        and (not tags or (tags <= set(row.tags) if wanted.all_tags else bool(tags & set(row.tags))))
        and in_time(row.created_at, wanted)
        and (not wanted.sources or row.source in wanted.sources)
        and (not wanted.origins or row.origin in wanted.origins)
        and (not wanted.identity_ids or row.identity_id in wanted.identity_ids)
        and trust >= wanted.least_confidence
    )


def in_time(moment: datetime, wanted: Filters) -> bool:
    """``after <= moment < before``."""
    return (wanted.after is None or moment >= wanted.after) and (wanted.before is None or moment < wanted.before)


async def expected(texts: dict[UUID, str], query: str, found: set[UUID], without_vector: frozenset[UUID] = NONE) -> set[UUID]:
    """Of those that pass, what shares a word with the query or is near it; what may be either is as it was found."""
    embedder = HashEmbedder()
    [asked] = await embedder.embed([query], kind="query")
    vectors = dict(zip(texts, await embedder.embed(list(texts.values()), kind="document"), strict=True))
    speaks: set[UUID] = set()
    for row_id, text in texts.items():
        cosine = (
            sum(one * other for one, other in zip(asked, vectors[row_id], strict=True)) if row_id not in without_vector else -1
        )
        sure = bool(set(query.split()) & set(text.split())) or cosine > NEARLY_NOTHING
        if sure or (abs(cosine) <= NEARLY_NOTHING and row_id in found):
            speaks.add(row_id)
    return speaks


@plenty
@given(query=queries, wanted=filters_of_passages)
async def test_a_search_of_the_archive_brings_every_row_that_passes_and_speaks(
    filled: Filled, query: str, wanted: Filters
) -> None:
    hits = await filled.chat.memory.search_archive(filled.chat.agent, query, filters=wanted, limit=ROWS)
    found = [hit.id for hit in hits]
    passing = {row.id: row.text for row in filled.passages if passes(row, wanted)}
    assert len(set(found)) == len(found)
    assert set(found) == await expected(passing, query, set(found))
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    few = await filled.chat.memory.search_archive(filled.chat.agent, query, filters=wanted, limit=3)
    assert [hit.score for hit in few] == pytest.approx(scores[:3])


@plenty
@given(query=queries, wanted=filters_of_messages)
async def test_a_search_of_the_conversation_brings_every_row_that_passes_and_speaks(
    filled: Filled, query: str, wanted: Filters
) -> None:
    hits = await filled.chat.memory.search_conversation(filled.chat.conversation.id, query, filters=wanted, limit=ROWS)
    found = [hit.id for hit in hits]
    roles = wanted.roles or (Role.user, Role.assistant)
    passing = {row.id: row.content for row in filled.messages if row.role in roles and in_time(row.created_at, wanted)}
    assert len(set(found)) == len(found)
    assert set(found) == await expected(passing, query, set(found), returns_of_tools(filled))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def returns_of_tools(filled: Filled) -> frozenset[UUID]:
    """They have no vector: they are found by their words alone."""
    return frozenset(row.id for row in filled.messages if row.role == Role.tool)
