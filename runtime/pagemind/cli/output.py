"""Printing for commands that answer once: tables for people, JSON for programs."""

import json
import sys
from typing import Any

from rich.console import Console

PIPE_COLUMNS = 400
"""A pipe has no width; lines are folded only far out, so that a program sees whole rows."""


def printer() -> Console:
    """A console on standard output: colour on a terminal unless NO_COLOR is set, none elsewhere; markup is off."""
    return Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def coloured() -> bool:
    """Whether standard output shows colours."""
    console = printer()
    return console.color_system is not None and not console.no_color


def print_json(value: Any) -> None:
    """Print a JSON value; times and ids become text, lone surrogates stay escaped."""
    sys.stdout.write(json.dumps(value, default=str, indent=2) + "\n")
