"""Lines of texts that match a regular expression; run apart (``engine/apart.py``): a pattern may take for ever."""

from __future__ import annotations

import json
import re
import sys

from pagemind.engine.apart import limited

MOST_MATCHES = 10_000
LINE_CHARS = 10_000
"""So much of a line is looked at."""


def main() -> None:
    """Read ``{"pattern", "texts": {name: text}}`` and write ``{"found": [[name, line], ...]}``, or ``{"wrong": why}``."""
    limited()
    given = json.loads(sys.stdin.buffer.read())
    try:
        pattern = re.compile(given["pattern"], re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        sys.stdout.write(json.dumps({"wrong": str(error)}))
        return
    found = list[tuple[str, int]]()
    for name, text in given["texts"].items():
        for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
            if len(found) < MOST_MATCHES and pattern.search(line[:LINE_CHARS]):
                found.append((name, number))
    sys.stdout.write(json.dumps({"found": found}))


if __name__ == "__main__":
    main()
