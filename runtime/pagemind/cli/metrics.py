"""``pagemind metrics``: the tenant's totals as Prometheus reads them."""

from __future__ import annotations

import sys

from pagemind.engine.metrics import metrics_text
from pagemind.settings import Settings
from pagemind.store.database import Database


async def metrics(settings: Settings) -> None:
    """Print them."""
    async with Database.opened(settings) as database:
        sys.stdout.write(await metrics_text(database))
