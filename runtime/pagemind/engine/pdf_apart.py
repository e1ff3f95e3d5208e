"""The text of a PDF, page by page; run apart (``engine/apart.py``)."""

from __future__ import annotations

import io
import sys

from pypdf import PdfReader

from pagemind.engine.apart import limited

MOST_PAGES = 5_000


def main() -> None:
    """Read a PDF and write its text as UTF-8, each page under a heading of its own."""
    limited()
    reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
    for number, page in enumerate(reader.pages[:MOST_PAGES], start=1):
        text = f"# Page {number}\n\n{page.extract_text()}\n\n"
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
