"""A conversation's epochs as tables: why each began, what left with it, what came back; the prefix, page faults, block hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.lines import CAUSES, milliseconds
from pagemind.cli.plot import plot
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.engine.paging import EpochReport, PagingReport

BAR_CELLS = 20
CHART_COLUMNS = 70
CHART_ROWS = 4


def history_view(report: PagingReport, *, coloured: bool = False) -> RenderableType:
    """The whole report; with ``coloured`` also charts, which words alone cannot give."""
    head = Text.assemble((safe_text(report.agent.name), "bold"), (f"  conversation {report.conversation.id}", "dim"))
    if not report.steps.steps:
        return Group(head, Text("Nothing has been said in this conversation yet, so nothing was paged."))
    return Group(
        head,
        *(charts(report) if coloured else ()),
        epochs_table(report),
        Text(),
        *page_outs(report),
        *came_back(report),
        Text(),
        prefix_line(report),
        fault_line(report),
        *most_faulted(report),
        *block_hits(report, coloured=coloured),
    )


def charts(report: PagingReport) -> list[RenderableType]:
    """The prompt's length step by step, and how much of it the cache served, where a server tells."""
    points = report.points
    top = max((point.prompt_tokens for point in points), default=0)
    marks = [at for at in range(1, len(points)) if points[at].epoch != points[at - 1].epoch]
    series = {"Tokens in the prompt, step by step (▲ a new epoch)": [point.prompt_tokens for point in points]}
    if report.cached_share is not None:
        series["Of these, served from the model server's cache"] = [point.cached_tokens for point in points]
    shown: list[RenderableType] = []
    for title, values in series.items():
        shown.append(Text(title, style="dim"))
        lines = plot(values, top=top, marks=marks, width=CHART_COLUMNS, height=CHART_ROWS)
        shown += [Text(line, style="cyan", no_wrap=True, overflow="crop") for line in lines]
    return [*shown, Text()]


def epochs_table(report: PagingReport) -> RenderableType:
    """A row an epoch: how long it lasted, how much of its prompts had been seen before, and why it began."""
    rows: list[Sequence[RenderableType]] = []
    for each in report.epochs:
        steps = each.steps
        cached = share(steps.cached_tokens, steps.prompt_tokens) if report.cached_share is not None else "–"
        common = share(steps.common_tokens, steps.prompt_tokens)
        began = f"{each.began_at.astimezone():%m-%d %H:%M}" if each.began_at else "–"
        counts = [f"{each.turns:,}", f"{steps.steps:,}", f"{steps.prompt_tokens:,}", cached, common]
        rows.append([str(each.number) if each.number else "–", began, *counts, why(each)])
    return views.table("#epoch", "began", "#turns", "#steps", "#tokens", "#cached", "#common", "because", rows=rows)


def why(each: EpochReport) -> str:
    """Why the epoch began, in words."""
    if each.epoch is not None:
        return CAUSES.get(each.epoch.cause, each.epoch.cause)
    return "the conversation began" if each.number == 1 else "not recorded"


def page_outs(report: PagingReport) -> list[RenderableType]:
    """A row for each epoch that began with messages paged out: what left, what stands in its place, and what that cost."""
    if not report.paged_out:
        return [Text("Nothing was paged out yet: all that was said is in view.")]
    rows: list[Sequence[RenderableType]] = []
    for each in report.epochs:
        epoch = each.epoch
        if epoch is None or not epoch.messages:
            continue
        out = f"{epoch.messages:,}: #{epoch.first_seq}–#{epoch.last_seq}"
        counts = [f"{epoch.tokens_out:,}", f"{epoch.summary_tokens:,}", f"{len(epoch.kept):,}"]
        cost = [f"{epoch.prompt_tokens:,}", f"{epoch.cached_tokens:,}", f"{epoch.completion_tokens:,}"]
        rows.append([str(each.number), out, *counts, *cost, milliseconds(epoch.milliseconds)])
    columns = ("#epoch", "paged out", "#tokens", "#summary", "#kept", "#asked", "#cached", "#reply", "#took")
    return [views.table(*columns, rows=rows)]


def came_back(report: PagingReport) -> list[RenderableType]:
    """A row for each epoch of whose paged-out messages some came back: how many, how soon, at what cost."""
    rows: list[Sequence[RenderableType]] = []
    for each in report.epochs:
        faults, out = each.faults, each.epoch.messages if each.epoch else 0
        if faults.faults:
            counts = [f"{faults.faults:,}", f"{faults.soon:,}", f"{faults.median_turns_out:g}", f"{faults.tokens:,}"]
            rows.append([str(each.number), f"{faults.messages:,} of {out:,}", *counts])
    columns = ("#epoch", "#came back", "#faults", f"#within {report.soon_turns}", "#median turns", "#tokens")
    return [Text(), views.table(*columns, rows=rows)] if rows else []


def prefix_line(report: PagingReport) -> RenderableType:
    """How the prompts began, beside the ones before; a broken one is a fault of ours."""
    steps = report.steps
    line = Text(f"Prefix: kept by {counted(steps.kept, 'prompt')}, rolled by {steps.rolled:,}, ")
    line.append(f"broken by {steps.broken:,}", style="bold red" if steps.broken else "green")
    line.append(f"; {share(steps.common_tokens, steps.prompt_tokens)} of all prompt tokens had been sent before")
    if report.cached_share is None:
        line.append(", and the server does not say what it served from a cache.")
    else:
        line.append(f", {share(steps.cached_tokens, steps.prompt_tokens)} came from the cache.")
    if steps.broken:
        line.append(" That must not be: `pagemind doctor` says what to do.", style="red")
    if steps.miscounted:
        line.append(f" {counted(steps.miscounted, 'prompt')} had another length for the server than for us.", style="yellow")
    return line


def fault_line(report: PagingReport) -> RenderableType:
    """How often what was paged out was needed again."""
    if not report.paged_out:
        return Text("Page faults: none, since nothing is out.")
    if not report.faults:
        return Text("Page faults: none. Nothing of what was paged out was looked up again.")
    soon = f"{report.soon:,} came within {counted(report.soon_turns, 'turn')}"
    return Text(
        f"Page faults: {report.faults:,}, which brought back {report.fault_tokens:,} tokens; {soon}, "
        f"{report.fault_rate or 0:.2f} for each of {counted(report.paged_out, 'message')} paged out."
    )


def most_faulted(report: PagingReport) -> list[RenderableType]:
    """The messages that came back most often."""
    if not report.most_faulted:
        return []
    rows = [
        [f"#{each.seq}", str(each.times), f"{each.tokens:,}", each.role, Text(one_line(each.words, 60))]
        for each in report.most_faulted
    ]
    return [Text(), views.table("#message", "#came back", "#tokens", "role", "its beginning", rows=rows)]


def block_hits(report: PagingReport, *, coloured: bool) -> list[RenderableType]:
    """How many steps drew on each block."""
    if not report.block_hits:
        return []
    full, empty = ("█", "░") if coloured else ("#", ".")
    rows: list[Sequence[RenderableType]] = []
    for label in report.block_hits:
        rate = report.hit_rate(label)
        cells = round(rate * BAR_CELLS)
        bar = Text.assemble((full * cells, "green"), (empty * (BAR_CELLS - cells), "bright_black"))
        rows.append([Text(safe_text(label)), bar, f"{100 * rate:.0f} %", f"{report.block_hits[label]:,}"])
    return [Text(), views.table("block", "replies that drew on it", "#share", "#steps", rows=rows)]


def share(part: int, whole: int) -> str:
    """``96.3 %``, or a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def history_values(report: PagingReport) -> dict[str, Any]:
    """The report as JSON values."""
    steps = report.steps
    return {
        "agent": report.agent.name,
        "conversation_id": str(report.conversation.id),
        "messages": report.messages,
        "epochs": [epoch_values(each) for each in report.epochs],
        "totals": {
            **{name: value for name, value in asdict(steps).items() if name != "epoch"},
            "cached_share": report.cached_share,
            "paged_out_messages": report.paged_out,
            "page_faults": report.faults,
            "page_faults_within": report.soon,
            "within_turns": report.soon_turns,
            "page_fault_tokens": report.fault_tokens,
            "fault_rate": report.fault_rate,
        },
        "most_faulted": [asdict(each) for each in report.most_faulted],
        "blocks": [
            {"label": label, "steps": hits, "hit_rate": report.hit_rate(label)} for label, hits in report.block_hits.items()
        ],
    }


def epoch_values(each: EpochReport) -> dict[str, Any]:
    """One epoch as JSON values."""
    epoch = each.epoch
    left_out = {"tenant_id", "conversation_id", "epoch", "created_at"}
    return {
        "epoch": each.number,
        "began_at": each.began_at,
        "turns": each.turns,
        **{name: value for name, value in asdict(each.steps).items() if name != "epoch"},
        "page_out": epoch.model_dump(exclude=left_out) if epoch else None,
        "page_faults": {name: value for name, value in asdict(each.faults).items() if name != "epoch"},
    }
