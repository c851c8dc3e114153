"""What Prometheus reads at /metrics. Each app has a registry of its own; no label holds a state's id."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from ..engine.engine import Engine

ROUTE_KEY = "genlib.route"  # in the scope: the template of the route that serves the request
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_GAUGES = {
    "num_states": ("genlib_states", "States that are open"),
    "running": ("genlib_calls_running", "Calls whose sequences are stepped"),
    "waiting": ("genlib_calls_waiting", "Calls in the queue"),
    "pages_total": ("genlib_pages", "Pages of keys and values in the pool"),
    "pages_free": ("genlib_pages_free", "Pages that hold nothing that is needed"),
    "last_step_age": ("genlib_last_step_age_seconds", "Seconds since the engine's loop last made progress"),
    "uptime": ("genlib_uptime_seconds", "Seconds since the engine was made"),
}
_COUNTERS = {
    "steps": ("genlib_steps", "Forward passes"),
    "prompt_tokens": ("genlib_prompt_tokens", "Tokens read"),
    "generated_tokens": ("genlib_generated_tokens", "Tokens generated"),
}


class EngineCollector(Collector):
    """Reads engine.stats() whenever Prometheus asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing, so that registering it does not ask the engine."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One sample of each figure."""
        stats = self._engine.stats()
        for field, (name, about) in _GAUGES.items():
            yield GaugeMetricFamily(name, about, value=getattr(stats, field))
        for field, (name, about) in _COUNTERS.items():
            yield CounterMetricFamily(name, about, value=getattr(stats, field))
        labels = {"model": self._engine.model_name, "fingerprint": self._engine.fingerprint}
        info = GaugeMetricFamily("genlib_info", "1; what is served is in the labels", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info


class Metrics:
    """The figures of one app and of its engine."""

    def __init__(self, engine: Engine) -> None:
        self._registry = registry = CollectorRegistry()
        registry.register(EngineCollector(engine))
        self._requests = Counter(
            "genlib_http_requests", "Requests answered", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "genlib_http_request_seconds", "From a request to the end of its answer", ["route"],
            registry=registry, buckets=SECONDS,
        )  # fmt: skip
        self._active = Gauge("genlib_http_requests_active", "Requests being served", registry=registry)
        self._first_token = Histogram(
            "genlib_time_to_first_token_seconds", "From a stream's request to its first token",
            registry=registry, buckets=SECONDS,
        )  # fmt: skip

    def first_token(self, seconds: float) -> None:
        """A stream sent its first token after so long."""
        self._first_token.observe(seconds)

    def render(self, accept: str) -> tuple[bytes, str]:
        """All figures and their media type, in the format that the Accept header asks for."""
        encoder, media_type = choose_encoder(accept)
        return encoder(self._registry), media_type

    def watch(self, app: ASGIApp) -> ASGIApp:
        """The app, with its requests counted and timed."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = 499  # unless an answer starts, the client had left

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            began = time.perf_counter()
            with self._active.track_inprogress():
                try:
                    await app(scope, receive, noting)
                finally:
                    self._note(scope, status, time.perf_counter() - began)

        return watched

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get(ROUTE_KEY)
        method = scope["method"] if route is not None else "other"
        self._requests.labels(route or "other", method, str(status)).inc()
        self._seconds.labels(route or "other").observe(seconds)
