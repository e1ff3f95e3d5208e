"""``pagemind memory search``: the archive and the newest conversation, filtered and weighed as asked, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from rich.text import Text

from pagemind.cli import views
from pagemind.cli.explaining import found_view
from pagemind.cli.output import print_json, printer
from pagemind.cli.times import days_in
from pagemind.engine.policy import search_policy
from pagemind.engine.runtime import Runtime
from pagemind.errors import UsageError
from pagemind.records.search import Decay, Filters, Found, MessageHit, PassageHit, Policy
from pagemind.settings import Settings


class UnknownDecay(UsageError):
    """{given!r} is no decay. Fix: give linear:90d, half-life:30d or none."""

    code = "unknown_decay"


@dataclass(frozen=True)
class Options:
    """What the command line asks for; what is None or empty is as the agent's file has it, or filters nothing."""

    limit: int = 10
    tags: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None
    roles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    trust: float = 0.0
    min_similarity: float | None = None
    decay: str | None = None
    diversity: float | None = None
    explain: bool = False
    as_json: bool = False

    @property
    def filters(self) -> Filters:
        """What a hit must be."""
        return Filters(
            tags=self.all_tags or self.tags,
            all_tags=bool(self.all_tags),
            after=_aware(self.after),
            before=_aware(self.before),
            roles=self.roles,
            sources=self.sources,
            origins=self.origins,
            least_confidence=self.trust,
        )

    @property
    def of_passages_only(self) -> bool:
        """Whether it asks for what no message has."""
        return bool(self.tags or self.all_tags or self.sources or self.origins or self.trust)

    def policy(self, own: Policy) -> Policy:
        """The agent's policy with what is asked for in its place. Raises UnknownDecay."""
        given: dict[str, Any] = {"min_similarity": self.min_similarity, "diversity": self.diversity}
        policy = replace(own, **{name: value for name, value in given.items() if value is not None})
        if self.decay is None:
            return policy
        kind, _, retention = self.decay.partition(":")
        try:
            decay = Decay(kind.replace("-", "_"))
            return replace(policy, decay=decay, retention_days=days_in(retention) if retention else policy.retention_days)
        except ValueError:
            raise UnknownDecay(given=self.decay) from None


async def search(settings: Settings, *, agent: str, query: str, given: dict[str, Any]) -> None:
    """Print what the archive and the newest conversation hold on the query, with scores; with ``explain``, why."""
    options = Options(**given)
    archive: Found[PassageHit] = Found(())
    talk: Found[MessageHit] = Found(())
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        if runtime.kernel.second_stage:
            # Nothing else keeps a single search waiting: it would be over before the model is there.
            await runtime.kernel.second_stage.ready()
        policy, filters, memory = options.policy(search_policy(found)), options.filters, runtime.memory
        if not options.roles:
            archive = await memory.search_archive(found, query, filters=filters, limit=options.limit, policy=policy)
        if not options.of_passages_only:
            conversation = await runtime.conversation(found)
            talk = await memory.search_conversation(conversation.id, query, filters=filters, limit=options.limit, policy=policy)
    if options.as_json:
        print_json({"passages": _values(archive.hits), "messages": _values(talk.hits), **_explained(archive, talk)})
        return
    console = printer()
    if not options.roles:
        shown = found_view(archive) if options.explain else views.passages_table(archive)
        console.print(Text("Archive", style="bold"), shown, sep="\n")
    if not options.of_passages_only:
        shown = found_view(talk) if options.explain else views.messages_table(talk)
        console.print(Text("Conversation", style="bold"), shown, sep="\n")


def _values(hits: Sequence[PassageHit] | Sequence[MessageHit]) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(hit).items() if name not in ("around", "missed")} for hit in hits]


def _explained(archive: Found[PassageHit], talk: Found[MessageHit]) -> dict[str, Any]:
    """What came near, by kind, and what was made of the query."""
    near = {"passages": archive.near_misses, "messages": talk.near_misses}
    return {
        "near_misses": {
            kind: [{"id": hit.id, "score": hit.score, "scores": hit.scores, "missed": hit.missed} for hit in hits]
            for kind, hits in near.items()
        },
        "notes": list(dict.fromkeys([*archive.notes, *talk.notes])),
        "milliseconds": {"passages": round(archive.seconds * 1000, 1), "messages": round(talk.seconds * 1000, 1)},
    }


def _aware(when: datetime | None) -> datetime | None:
    return when.astimezone() if when is not None and when.tzinfo is None else when
