"""What kind of place the program is started in."""

import os
import sys


def is_plain_place() -> bool:
    """Whether only words can be shown: a pipe on either side, or a terminal that cannot move its cursor."""
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return not on_terminal or os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
