"""What paging did, as a person and a program see it: the epochs, the sentence of a compaction, the metrics."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from pagemind.cli.doctor import prefix_findings
from pagemind.cli.epochs import history_values, history_view
from pagemind.cli.lines import line_of
from pagemind.engine.metrics import metrics_text
from pagemind.engine.paging import PagingReport
from pagemind.events import Compacted, StepEnded
from pagemind.records import Step
from pagemind.settings import Settings
from pagemind.store import steps
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.shell import Shell
from pagemind.testing.vectors import HashEmbedder

WINDOW = 2_048


@pytest.fixture
async def small(settings: Settings) -> AsyncGenerator[Bench]:
    """An agent with a window of about ten exchanges."""
    model = ScriptedReasoner(window_tokens=WINDOW)
    async with bench(settings, model=model, embedder=HashEmbedder(), memory={"summary_tokens": 64}) as opened:
        yield opened


async def paged(small: Bench, turns: int = 24) -> PagingReport:
    """A conversation with several compactions, a page fault and a reply that draws on a block."""
    small.model.will("Good to know.")
    await small.ask("My dentist is called Dr. Quill.")
    for _ in range(turns):
        small.model.will("Sheep.")
        await small.ask("sheep " * 100)
    small.model.will(call("conversation_search", query="#1"), "Dr. Quill.")
    await small.ask("Who is my dentist?")
    return await small.runtime.paging(small.conversation.id)


def printed(report: PagingReport, *, coloured: bool = False, columns: int = 100) -> str:
    console = Console(file=io.StringIO(), width=columns, force_terminal=coloured, color_system="standard" if coloured else None)
    with console.capture() as captured:
        console.print(history_view(report, coloured=coloured))
    return captured.get()


@pytest.mark.anyio
async def test_a_conversation_in_which_nothing_was_said_says_so(small: Bench) -> None:
    report = await small.runtime.paging(small.conversation.id)
    assert "Nothing has been said in this conversation yet" in printed(report)
    assert history_values(report)["totals"]["fault_rate"] is None


@pytest.mark.anyio
async def test_one_epoch_is_one_row_and_nothing_is_out(small: Bench) -> None:
    small.model.will("Hello.", "Yes.")
    await small.ask("Hello?")
    await small.ask("Still there?")
    report = await small.runtime.paging(small.conversation.id)
    shown = printed(report)
    assert "the conversation began" in shown
    assert "Nothing was paged out yet" in shown
    assert "Page faults: none, since nothing is out." in shown
    assert "kept by 1 prompt, rolled by 0, broken by 0" in shown
    [epoch] = report.epochs
    assert (epoch.number, epoch.turns, epoch.steps.steps) == (1, 2, 2)


@pytest.mark.anyio
async def test_many_epochs_are_a_row_each_and_add_up(small: Bench) -> None:
    report = await paged(small)
    values = history_values(report)
    rows = values["epochs"]
    assert len(rows) >= 3
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    assert sum(row["turns"] for row in rows) == 26
    assert sum(row["steps"] for row in rows) == values["totals"]["steps"] == 27
    assert values["totals"]["broken"] == 0
    assert values["totals"]["rolled"] == len(rows) - 1
    assert values["totals"]["kept"] == 27 - len(rows)
    assert values["totals"]["page_faults"] == 1
    assert values["totals"]["paged_out_messages"] == sum(row["page_out"]["messages"] for row in rows if row["page_out"])
    assert [message["seq"] for message in values["most_faulted"]] == [1]
    assert json.loads(json.dumps(values, default=str))["blocks"][0]["label"] == "persona"


@pytest.mark.anyio
async def test_words_alone_have_no_colour_and_no_drawing_and_a_terminal_gets_a_chart(small: Bench) -> None:
    report = await paged(small)
    words, colours = printed(report), printed(report, coloured=True)
    assert not set("\x1b█░│└▲") & set(words)
    assert words.count("the window was full") == len(report.epochs) - 1
    assert "▲" in colours
    assert "Tokens in the prompt, step by step" in colours
    assert "My dentist is called Dr. Quill." in words
    assert all(len(line.rstrip()) <= 80 for line in printed(report, columns=80).splitlines())


@pytest.mark.anyio
async def test_a_broken_prefix_is_shown_in_red_and_the_doctor_warns_of_it(small: Bench, settings: Settings) -> None:
    small.model.will("Hello.")
    await small.ask("Hello?")
    [run] = await small.runtime.runs()
    async with small.runtime.kernel.database.transaction() as session:
        await steps.put(
            session, Step(tenant_id=settings.tenant_id, id=uuid4(), run_id=run.id, index=1, epoch=1, prefix="broken")
        )
    report = await small.runtime.paging(small.conversation.id)
    assert "\x1b[1;31mbroken by 1" in printed(report, coloured=True)
    [finding] = await prefix_findings(settings)
    assert (finding.status, finding.evidence[:6]) == ("warn", "1 of 1")
    assert "pagemind context AGENT --history" in finding.fix


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            Compacted(14, 2310, 940, 3, 3, 16, kept=2, milliseconds=1204.0, prompt_tokens=2400, cached_tokens=2300),
            "paged out 14 messages (#3–#16), 2,310 → 940 tokens, because the window was full "
            "(asked on the cached prefix, 1.2 s); 2 stay in view",
        ),
        (
            Compacted(1, 900, 700, 2, 3, 3, cause="early", kept=1, milliseconds=80.0),
            "paged out 1 message (#3–#3), 900 → 700 tokens, because the window was nearly full (80 ms); 1 stays in view",
        ),
    ],
)
def test_a_compaction_is_a_sentence(event: Compacted, words: str) -> None:
    line = line_of(event)
    assert line is not None
    assert line.text == words


def test_messages_that_were_paged_back_in_are_a_few_words() -> None:
    assert line_of(StepEnded(0, 100, 0, 5, 105, 8192)) is None
    line = line_of(StepEnded(0, 100, 0, 5, 105, 8192, faults=2))
    assert line is not None
    assert line.text == "2 messages paged back in"


@pytest.mark.anyio
async def test_the_metrics_are_what_prometheus_reads_and_add_up_with_the_rows(small: Bench) -> None:
    report = await paged(small)
    samples = parsed(await metrics_text(small.runtime.kernel.database))
    totals = report.steps
    assert samples["pagemind_steps_total"] == totals.steps == 27
    assert samples["pagemind_prompt_tokens_total"] == totals.prompt_tokens
    assert samples["pagemind_common_prefix_tokens_total"] == totals.common_tokens > 0
    assert samples['pagemind_prefix_total{verdict="kept"}'] == totals.kept
    assert samples['pagemind_prefix_total{verdict="rolled"}'] == totals.rolled
    assert samples["pagemind_prefix_broken_total"] == 0
    assert samples['pagemind_epochs_total{cause="full"}'] == len(report.epochs) - 1
    assert samples["pagemind_paged_out_messages_total"] == report.paged_out
    assert samples["pagemind_page_faults_total"] == report.faults == 1
    assert samples["pagemind_page_fault_tokens_total"] == report.fault_tokens > 0
    assert samples["pagemind_token_count_mismatches_total"] == 0
    assert samples['pagemind_runs_total{state="completed",stop_reason="end_turn"}'] == 26
    assert samples['pagemind_unfinished_runs{state="queued"}'] == 0


@pytest.mark.anyio
async def test_the_metrics_of_one_tenant_tell_nothing_of_another(small: Bench, settings: Settings) -> None:
    small.model.will("Hello.")
    await small.ask("Hello?")
    other = settings.model_copy(update={"tenant_id": uuid4()})
    async with bench(other, embedder=HashEmbedder()) as stranger:
        samples = parsed(await metrics_text(stranger.runtime.kernel.database))
    assert samples["pagemind_steps_total"] == 0
    assert samples["pagemind_prompt_tokens_total"] == 0


def parsed(text: str) -> dict[str, float]:
    """Sample -> value, as Prometheus' own parser reads them."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def test_the_commands_show_epochs_and_metrics_of_a_fresh_home(shell: Shell) -> None:
    assert "unknown_agent" in shell.run("context", "nobody", "--history").stderr
    said = shell.json("-p", "my name is Ada", "--output", "json", "--background")
    shown = shell.ok("context", "assistant", "--history")
    assert "Nothing was paged out yet" in shown
    assert "\x1b" not in shown
    told = shell.json("context", "assistant", "--history", "--conversation", said["conversation_id"], "--within", "3", "--json")
    assert told["totals"]["within_turns"] == 3
    assert told["conversation_id"] == said["conversation_id"]
    assert "not_found" in shell.run("context", "assistant", "--history", "--conversation", "nonsense").stderr
    samples = parsed(shell.ok("metrics"))
    assert samples["pagemind_steps_total"] == told["totals"]["steps"]
    [run] = shell.json("runs", "--json")
    assert run["background"] is True
    assert shell.run("chat", "--background").returncode == 2
