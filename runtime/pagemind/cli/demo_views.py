"""How the demo's figures look."""

from __future__ import annotations

from rich import box
from rich.table import Table

from pagemind.cli.plot import plot
from pagemind.cli.text import counted, one_line
from pagemind.testing.locomo.figures import AT, STAGES, Answered, Report, high, middle
from pagemind.testing.locomo.talk import ASKED_CATEGORIES

SHOWN = 3
"""What was found, in so many lines a question."""


def answer_lines(answered: Answered, width: int) -> list[str]:
    """A question, the share of its evidence that was found, and the first words of what was found."""
    question, found = answered.question, answered.evidence_found
    lines = [
        "",
        f"? {one_line(question.question, width - 4)}",
        f"  {ASKED_CATEGORIES[question.category]}; expected: {one_line(str(question.answer), width - 30)}",
        f"  evidence found: {answered.share:.0%} ({len(found)} of {len(question.evidence)}: {one_line(evidence(answered))})",
        f"  {' + '.join(answered.tools) or 'no search'}: {counted(len(answered.found), 'hit')}",
    ]
    if answered.answer:
        lines.insert(3, f"  answered: {one_line(answered.answer, width - 14)}")
    # The evidence first, since it is what was looked for; then the best of the rest.
    ordered = sorted(answered.found, key=lambda each: not set(each.turns) & set(question.evidence))
    for each in ordered[:SHOWN]:
        mark = "*" if set(each.turns) & set(question.evidence) else " "
        lines.append(f"  {mark} {each.place:>7} {one_line(each.text, width - 14)}")
    return lines


def evidence(answered: Answered) -> str:
    """The turns that hold the answer, those that were missed in brackets."""
    found = set(answered.evidence_found)
    return ", ".join(turn if turn in found else f"({turn})" for turn in answered.question.evidence)


def window_plot(report: Report, *, width: int, ascii_only: bool) -> list[str]:
    """The window over time."""
    marks = [page.before_step for page in report.compactions]
    title = f"Tokens in the window, step by step ({'^' if ascii_only else '▲'} = compaction)"
    drawn = plot(report.context_tokens, top=report.window_tokens, marks=marks, width=width, ascii_only=ascii_only)
    return [title, *drawn, f"{len(report.context_tokens)} steps; the first {report.fed_steps} fed, the others answered"]


def summary_table(report: Report) -> Table:
    """The figures that sum it up."""
    shown = Table("figure", "value", box=box.ASCII)
    shown.add_row("turns fed", str(report.turns))
    shown.add_row("messages kept", str(report.messages))
    shown.add_row("compactions", str(len(report.compactions)))
    shown.add_row("most tokens in the window", f"{max(report.context_tokens, default=0):,} of {report.window_tokens:,}")
    shown.add_row("questions asked", str(len(report.answered)))
    shown.add_row("evidence found by the agent's searches", f"{report.evidence_found:.3f}")
    for first in AT:
        shown.add_row(f"bare search, evidence recall@{first}", f"{report.bare_recall(first):.3f}")
    shown.add_row("runs cut short", str(report.cut_short))
    shown.add_row("seconds", f"{report.seconds:.1f}")
    return shown


def category_table(report: Report) -> Table:
    """The share of evidence found, by the kind of question."""
    shown = Table("questions", "asked", "evidence found", box=box.ASCII)
    for kind, (asked, share) in report.by_category().items():
        shown.add_row(kind, str(asked), f"{share:.3f}")
    return shown


def time_table(report: Report) -> Table:
    """The time per step."""
    shown = Table("stage", "median ms", "95 % ms", box=box.ASCII)
    for name in STAGES:
        times = report.stage(name)
        shown.add_row(name, f"{middle(times):.1f}", f"{high(times):.1f}")
    whole = [step.whole for step in report.steps]
    shown.add_row("whole step", f"{middle(whole):.1f}", f"{high(whole):.1f}")
    shown.add_row("not the reasoner's", f"{report.own_share:.0%}", "")
    return shown
