"""A process that launches the configured local server and holds it until it is killed: ``python owner.py SETTINGS``."""

from __future__ import annotations

import asyncio
import sys

from pagemind.model.local.opening import open_local
from pagemind.settings import Settings


async def main() -> None:
    opened = await open_local(Settings.model_validate_json(sys.argv[1]), lambda words: None)
    assert opened is not None
    print(opened.state.url, flush=True)
    await asyncio.sleep(600)


asyncio.run(main())
