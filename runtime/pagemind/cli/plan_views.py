"""A plan in words, as a diff, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any, cast

from rich.text import Text

from pagemind.cli.text import counted, one_line, safe_text
from pagemind.definitions.planner import Change, Plan
from pagemind.records import Json

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "remove": ("-", "red"), "keep": ("=", "dim")}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def plan_lines(plans: Sequence[Plan], *, done: bool = False) -> Iterator[Text]:
    """The changes of each agent, and what they come to."""
    for plan in plans:
        if plan.changes:
            word = "changed" if plan.exists else "new"
            yield Text(f"{plan.agent} ({'unchanged' if plan.is_clean else word})", style="bold")
            yield from map(_change_line, plan.changes)
    yield Text(_outcome(plans, done=done))


def plan_json(plans: Sequence[Plan]) -> Json:
    """The plans as JSON values."""
    return {
        "clean": all(plan.is_clean for plan in plans),
        "agents": [
            {"agent": plan.agent, "exists": plan.exists, "clean": plan.is_clean, "changes": [vars(one) for one in plan.changes]}
            for plan in plans
        ],
    }


def diff_lines(plans: Sequence[Plan]) -> Iterator[Text]:
    """The changes as unified diffs from what is live to what an apply leaves."""
    for plan in plans:
        for change in plan.changes:
            if change.action == "keep":
                continue
            name = f"{plan.agent}/{change.path}"
            lines = unified_diff(_lines(change.before), _lines(change.after), f"live/{name}", f"file/{name}", lineterm="")
            for line in lines:
                heading = line.startswith(("---", "+++"))
                yield Text(safe_text(line), style="bold" if heading else _DIFF_STYLES.get(line[:1], ""))


def _outcome(plans: Sequence[Plan], *, done: bool) -> str:
    changed = [plan for plan in plans if not plan.is_clean]
    if not changed:
        return "No changes."
    new = sum(not plan.exists for plan in changed)
    if done:
        return f"Applied: {counted(new, 'agent')} created, {len(changed) - new} changed."
    return f"Plan: {counted(new, 'agent')} to create, {len(changed) - new} to change."


def _change_line(change: Change) -> Text:
    sign, style = _SIGNS[change.action]
    line = Text(f"  {sign} {change.path}", style=style)
    line.append(f"  {_words(change)}", style="default" if change.action != "keep" else "dim")
    if change.note:
        line.append(f"  ({change.note})", style="dim" if "conflict" not in change.note else "yellow")
    return line


def _words(change: Change) -> str:
    before, after = change.before, change.after
    match change.action:
        case "create":
            return _short(after)
        case "remove":
            return ""
        case "keep":
            return f"live {_short(before)}, file {_short(after)}" if after is not None and before is not None else ""
        case "update":
            if _is_long(before) or _is_long(after):
                return _counts(before, after)
            return f"{_short(before)} → {_short(after)}"


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and ("\n" in value or len(value) > 60)


def _counts(before: Any, after: Any) -> str:
    lines = list(unified_diff(_lines(before), _lines(after), n=0, lineterm=""))[2:]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return f"+{added} -{removed} lines"


def _short(value: Any) -> str:
    """A value on one line; a block says who owns it and how it begins."""
    if isinstance(value, dict):
        block = cast("Json", value)
        return f"{block['owner']}, {one_line(block['value'], 50)!r}" if "owner" in block else one_line(json.dumps(block))
    if isinstance(value, str):
        return repr(one_line(value))
    if isinstance(value, list):
        return one_line(", ".join(map(str, cast("list[Any]", value))), 90) or "none"
    return "none" if value is None else json.dumps(value)


def _lines(value: Any) -> list[str]:
    """A value as the lines of a diff."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [f"{key}: {line}" for key, inner in cast("Json", value).items() for line in _lines(inner) or [""]]
    if isinstance(value, list):
        return [f"- {item}" for item in cast("list[Any]", value)]
    return value.split("\n") if isinstance(value, str) else [json.dumps(value)]
