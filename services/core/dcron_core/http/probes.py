"""`/healthz`: the process lives. `/readyz`: it can do its work; says what is missing. `/metrics`: Prometheus."""

from collections.abc import Iterator

from litestar import MediaType, Response, Router, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from dcron_core.access.rules import METRICS, OPEN, ruled

OPERATIONS_TAG = "operations"


class Readiness:
    """Named conditions; a service is ready when none is missing. Prometheus collects it as a metric too."""

    def __init__(self, *conditions: str) -> None:
        self._missing = dict.fromkeys(conditions, "not there yet")
        self._known = dict.fromkeys(conditions)

    def met(self, condition: str) -> None:
        """The condition holds now."""
        self._missing.pop(condition, None)

    def lost(self, condition: str, why: str) -> None:
        """The condition does not hold any more."""
        self._missing[condition] = why
        self._known[condition] = None

    @property
    def missing(self) -> dict[str, str]:
        """Condition → why it does not hold."""
        return dict(self._missing)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each condition that was ever asked for: 1 if it holds."""
        told = "Conditions of being ready: 1 if it holds. The service is ready while all do."
        family = GaugeMetricFamily("dcron_ready_condition", told, labels=["condition"])
        for condition in self._known:
            family.add_metric([condition], 0 if condition in self._missing else 1)
        yield family


def probes(readiness: Readiness, registry: CollectorRegistry) -> Router:
    """Return the three routes. The metrics tell the conditions of being ready too."""
    registry.register(readiness)

    @get("/healthz", opt=ruled(OPEN), tags=[OPERATIONS_TAG], sync_to_thread=False)
    def healthz() -> dict[str, str]:
        """Tell that the process lives."""
        return {"status": "alive"}

    @get("/readyz", opt=ruled(OPEN), tags=[OPERATIONS_TAG], sync_to_thread=False)
    def readyz() -> Response[dict[str, object]]:
        """Tell whether the service can do its work: 200, or 503 with what is missing."""
        missing = readiness.missing
        return Response(
            content={"status": "not ready" if missing else "ready", "missing": missing},
            status_code=503 if missing else 200,
        )

    @get("/metrics", opt=ruled(METRICS), tags=[OPERATIONS_TAG], media_type=MediaType.TEXT, sync_to_thread=False)
    def metrics() -> Response[bytes]:
        """Return the metrics in Prometheus' text format."""
        return Response(content=generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Router("/", route_handlers=[healthz, readyz, metrics])
