"""vLLM's own counters of its prefix cache, in tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx2

from pagemind.errors import PagemindError

LINE = re.compile(r"^vllm:prefix_cache_(queries|hits)(?:_total)?(?:\{[^}\n]*\})? (\S+)$", re.MULTILINE)
BLOCK = re.compile(r"^vllm:cache_config_info\{(?:[^}\n]*,)?block_size=\"(\d+)\"", re.MULTILINE)
ASK_SECONDS = 10.0


class NoPrefixCounters(PagemindError):
    """The server at {url} does not tell what its prefix cache served.
    Fix: name a vLLM with prefix caching (its /metrics has vllm:prefix_cache_queries)."""

    code = "no_prefix_counters"


@dataclass(frozen=True)
class CacheCounters:
    """Tokens of prompts that were looked up in the cache, and those that were found there."""

    queries: int
    hits: int

    def since(self, before: CacheCounters) -> CacheCounters:
        """What came after ``before``."""
        return CacheCounters(self.queries - before.queries, self.hits - before.hits)

    @property
    def recomputed(self) -> int:
        """Tokens that were not in the cache."""
        return self.queries - self.hits

    @property
    def share(self) -> float:
        """The share of tokens that came from the cache."""
        return self.hits / self.queries if self.queries else 0.0


async def cache_counters(url: str) -> CacheCounters:
    """The counters of the server with this base URL (with ``/v1``), over all its engines. Raises NoPrefixCounters."""
    sums: dict[str, float] = {}
    for name, value in LINE.findall(await metrics(url)):
        sums[name] = sums.get(name, 0.0) + float(value)
    if sums.keys() != {"queries", "hits"}:
        raise NoPrefixCounters(url=url)
    return CacheCounters(int(sums["queries"]), int(sums["hits"]))


async def block_size(url: str) -> int | None:
    """How many tokens the server caches as one block, where it tells. Raises NoPrefixCounters."""
    found = BLOCK.search(await metrics(url))
    return int(found[1]) if found else None


async def metrics(url: str) -> str:
    """The server's metrics, in Prometheus' text format. Raises NoPrefixCounters where there are none."""
    try:
        async with httpx2.AsyncClient(timeout=ASK_SECONDS) as client:
            return (await client.get(f"{url.rstrip('/').removesuffix('/v1')}/metrics")).raise_for_status().text
    except httpx2.HTTPError as error:
        raise NoPrefixCounters(str(error), url=url) from error
