"""What this process has answered, as Prometheus reads it: by route, never by address, so that the series stay few."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Counts and times requests. ``open_requests`` and ``open_streams`` are those being answered now."""

    def __init__(self) -> None:
        self.open_requests = 0
        self.open_streams = 0
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "pagemind_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "pagemind_http_request_duration_seconds",
            "Time until a request was answered, streams apart.",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._registry.register(self)

    def answered(self, method: str, route: str, status: int, seconds: float, *, streamed: bool) -> None:
        """Count a request."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        if not streamed:
            self._seconds.labels(route).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        yield GaugeMetricFamily("pagemind_http_open_requests", "Requests being answered.", value=self.open_requests)
        yield GaugeMetricFamily("pagemind_http_open_streams", "Of these, streams of events.", value=self.open_streams)

    def text(self) -> str:
        """All of it in the text format 0.0.4."""
        return generate_latest(self._registry).decode()
