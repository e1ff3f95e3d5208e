"""Metrics: a tenant's totals in the text format of Prometheus, all of it from the store, so that a restart loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Sample

from pagemind.engine.keys import served
from pagemind.engine.second_stage import SecondStage
from pagemind.memory.prefix import Verdict
from pagemind.records import Cause
from pagemind.store import paging_report, usage_report
from pagemind.store.database import Database
from pagemind.store.paging_report import Labelled, Totals
from pagemind.store.usage_report import Spread, Usage

UNFINISHED = ("queued", "running")
SEARCHES = ("archival_memory_search", "conversation_search", "semantic_search_files", "grep_files")


class TotalsCollector:
    """Shows totals that were read before as metrics, under names that begin with ``pagemind_``, in base units."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """The metrics, each with what it means."""
        totals = self._totals
        for name, meaning, value in plain_counters(totals):
            yield CounterMetricFamily(f"pagemind_{name}", meaning, value=value)
        prefixes = {**{(verdict.value,): 0 for verdict in Verdict}, **by_labels(totals.prefixes)}
        yield counter("prefix", "Prompts by how they began, beside the one before.", ["verdict"], prefixes)
        broken = prefixes[Verdict.broken.value,]
        yield counter("prefix_broken", "Prompts that broke the invariant of their epoch: always 0.", [], {(): broken})
        causes = {**{(cause.value,): 0 for cause in Cause}, **by_labels(totals.causes)}
        yield counter("epochs", "Epochs that began, the first of each conversation aside.", ["cause"], causes)
        ended = {labels: count for labels, count in by_labels(totals.runs).items() if labels[0] not in UNFINISHED}
        yield counter("runs", "Runs that ended.", ["state", "stop_reason"], ended)
        going = by_labels(totals.runs)
        waiting = GaugeMetricFamily("pagemind_unfinished_runs", "Runs that go on or wait.", labels=["state"])
        for state in UNFINISHED:
            waiting.add_metric([state], going.get((state, ""), 0))
        yield waiting


def plain_counters(totals: Totals) -> list[tuple[str, str, float]]:
    """Name, meaning and value of the counters that have no labels."""
    return [
        ("steps", "Model calls that became history.", totals.steps),
        ("prompt_tokens", "Tokens of the steps' prompts.", totals.prompt_tokens),
        ("cached_tokens", "Of these, tokens that the model server served from its cache.", totals.cached_tokens),
        ("common_prefix_tokens", "Of these, tokens that began the prompt of the step before, too.", totals.common_tokens),
        ("completion_tokens", "Tokens of the steps' replies.", totals.completion_tokens),
        ("token_count_mismatches", "Steps whose prompt the server counted otherwise than we did.", totals.miscounted),
        ("paged_out_messages", "Messages that left a window.", totals.paged_out_messages),
        ("paged_out_tokens", "Tokens of the messages that left a window.", totals.paged_out_tokens),
        ("page_faults", "Paged-out messages that a search brought back.", totals.faults),
        ("page_fault_tokens", "Tokens of the messages that were brought back.", totals.fault_tokens),
        ("compaction_prompt_tokens", "Prompt tokens of the calls that compactions took.", totals.summary_prompt_tokens),
        ("compaction_cached_tokens", "Of these, tokens that came from the cache.", totals.summary_cached_tokens),
        ("compaction_completion_tokens", "Reply tokens of the calls that compactions took.", totals.summary_completion_tokens),
        ("compaction_seconds", "Time that compactions took.", totals.milliseconds / 1000),
    ]


def counter(name: str, meaning: str, labels: Sequence[str], values: dict[tuple[str, ...], int]) -> CounterMetricFamily:
    """A counter with a sample for each combination of labels."""
    family = CounterMetricFamily(f"pagemind_{name}", meaning, labels=labels)
    for combination, value in sorted(values.items()):
        family.add_metric(combination, value)
    return family


def by_labels(counts: Sequence[Labelled]) -> dict[tuple[str, ...], int]:
    """Labels -> count."""
    return {each.labels: each.count for each in counts}


def usage_metrics(usage: Usage) -> Iterator[Metric]:
    """How long runs took, how full windows were, who wrote to memory, what was searched for."""
    yield histogram("run_duration_seconds", "Time from a run's acceptance to its end.", usage.run_seconds)
    yield histogram("time_to_first_token_seconds", "Time until a model call's first piece came.", usage.first_token_seconds)
    yield histogram("context_used_tokens", "Tokens of the context window that model calls used.", usage.context_tokens)
    yield counter("memory_writes", "Revisions of blocks, by who made them.", ["author"], by_labels(usage.writes))
    calls = by_labels(usage.tool_calls)
    yield counter("tool_calls", "Returns of tools.", ["tool", "status"], calls)
    found = {(tool,): sum(count for labels, count in calls.items() if labels[0] == tool) for tool in SEARCHES}
    yield counter("searches", "Searches that agents made.", ["tool"], found)


def histogram(name: str, meaning: str, spread: Spread) -> HistogramMetricFamily:
    """A histogram of values that were spread already."""
    buckets = [(f"{bound:g}", float(sum(spread.counts[: at + 1]))) for at, bound in enumerate(spread.bounds)]
    total = float(sum(spread.counts))
    return HistogramMetricFamily(f"pagemind_{name}", meaning, buckets=[*buckets, ("+Inf", total)], sum_value=spread.total)


class Gathered:
    """Metrics of several tenants, added up."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics: dict[str, Metric] = {}
        for metric in metrics:
            known = self._metrics.get(metric.name)
            self._metrics[metric.name] = metric if known is None else added(known, metric)

    def collect(self) -> Iterator[Metric]:
        """The sums."""
        yield from self._metrics.values()


def added(one: Metric, other: Metric) -> Metric:
    """The sum of two metrics of one name, sample by sample."""
    samples = {(each.name, *sorted(each.labels.items())): each for each in one.samples}
    for each in other.samples:
        place = (each.name, *sorted(each.labels.items()))
        before = samples.get(place)
        value = each.value + (before.value if before else 0)
        samples[place] = Sample(each.name, each.labels, value)
    one.samples = list(samples.values())
    return one


async def metrics_of(database: Database, tenant_id: UUID) -> list[Metric]:
    """A tenant's metrics."""
    async with database.transaction(tenant_id) as session:
        totals, usage = await paging_report.totals(session), await usage_report.usage(session)
    return [*TotalsCollector(totals).collect(), *usage_metrics(usage)]


async def metrics_text(database: Database) -> str:
    """The tenant's metrics as Prometheus scrapes them (text format 0.0.4). Raises StoreError."""
    return as_text(await metrics_of(database, database.tenant_id))


async def all_metrics_text(database: Database) -> str:
    """The same of the operator and all the operator's tenants, added up."""
    return as_text([each for tenant_id, _ in await served(database) for each in await metrics_of(database, tenant_id)])


def as_text(metrics: Iterable[Metric]) -> str:
    """The metrics in the text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(Gathered(metrics))
    return generate_latest(registry).decode()


class ProcessCollector:
    """Shows what this process has done so far."""

    def __init__(self, database: Database, second_stage: SecondStage | None) -> None:
        self._database = database
        self._second_stage = second_stage

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        trips = self._database.round_trips
        yield CounterMetricFamily("pagemind_database_round_trips", "Times this process waited for PostgreSQL.", value=trips)
        if stage := self._second_stage:
            ended = {("reranked",): stage.reranked, ("late",): stage.late, ("failed",): stage.failed}
            yield counter("reranker", "Searches whose hits went to the reranker.", ["outcome"], ended)


def process_metrics_text(database: Database, second_stage: SecondStage | None = None) -> str:
    """What this process has done, in the text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(ProcessCollector(database, second_stage))
    return generate_latest(registry).decode()
