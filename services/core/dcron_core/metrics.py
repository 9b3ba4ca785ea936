"""What every service tells Prometheus: its build, its process, and how its HTTP face answers.

Names and units are Prometheus' conventions: base units at the end of a name, `_total` for counters, a point in time
as `_timestamp_seconds` rather than as an age, labels of few values. A series that an alert looks at is there from the
start, at zero, so that the first event is a rise.
"""

from collections.abc import Iterable

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

from dcron_core.version import VERSION

ALERTED_STATUSES = ("401", "403", "429", "500", "503")


class ServiceMetrics:
    """A registry of the service's own, with what is the same for all."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Gauge("dcron_build_info", "Which release this is; always 1.", ["service", "version"],
                      registry=self.registry)  # fmt: skip
        build.labels(service, VERSION).set(1)
        self.keys = Gauge(
            "dcron_key_info", "Ids of the keys that the service has, by use and in their order; always 1.",
            ["use", "order", "key_id"], registry=self.registry,
        )  # fmt: skip
        self.responses = Counter(
            "dcron_http_responses_total", "HTTP requests answered, by status.", ["status"], registry=self.registry
        )
        from_zero(self.responses, ALERTED_STATUSES)

    def show_keys(self, ids: Iterable[str]) -> None:
        """Tell which keys there are: `use:id` of each, and never the key."""
        for order, each in enumerate(ids):
            use, _, key_id = each.partition(":")
            self.keys.labels(use, str(order), key_id).set(1)

    def counted(self, app: ASGIApp) -> ASGIApp:
        """Return `app` with its answers counted."""

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            async def counted(message: Message) -> None:
                if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                    self.responses.labels(str(message["status"])).inc()
                await send(message)

            await app(scope, receive, counted)

        return counting


def from_zero(metric: Counter | Gauge, values: Iterable[str]) -> None:
    """Show these values of the metric's only label from the start."""
    for value in values:
        metric.labels(value)
