"""The status line: agent, model, how full the window is, what was paged in and out."""

from __future__ import annotations

from prompt_toolkit.formatted_text import StyleAndTextTuples

from pagemind.cli.session import Meter, Session
from pagemind.cli.text import one_line

BAR_CELLS = 10


def status_fragments(session: Session) -> StyleAndTextTuples:
    """The status line of the session as prompt_toolkit fragments."""
    reasoner = session.runtime.reasoner
    label = (
        ("", one_line(reasoner.model, 30))
        if reasoner.is_language_model
        else ("class:status.warn", "demo reasoner, not a language model")
    )
    meter = session.meter
    level = _level(meter.percent)
    return [
        ("class:status.agent", one_line(session.agent.name, 24)),
        ("", " │ "),
        label,
        ("", " │ context "),
        (f"class:meter.{level}", meter_bar(meter)),
        ("", f" {meter.percent} % │ paged in {meter.paged_in:,} out {meter.paged_out:,}"),
    ]


def meter_bar(meter: Meter) -> str:
    """The used share of the window as a bar; a used window shows at least one cell."""
    full = min(BAR_CELLS, round(meter.percent * BAR_CELLS / 100))
    full = max(full, 1) if meter.context_tokens else 0
    return "█" * full + "░" * (BAR_CELLS - full)


def _level(percent: int) -> str:
    return "high" if percent >= 90 else "mid" if percent >= 70 else "low"
