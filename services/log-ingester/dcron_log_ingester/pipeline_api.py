"""`GET /api/v1/pipeline`: how far this log-ingester is behind the log. Read only."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_log_ingester.metrics import Metrics
from dcron_schemas.api import Pipeline


def pipeline_route(metrics: Metrics) -> HTTPRouteHandler:
    """Return the route, which tells what the metrics hold."""

    @get("/api/v1/pipeline", opt=ruled(ANYBODY_LOGGED_IN), tags=["operations"], sync_to_thread=False)
    def show_pipeline() -> Pipeline:
        """Say how many records of runs wait to be stored, and how many live views are open, here."""
        waiting = [sample.value for family in metrics.lag.collect() for sample in family.samples]
        viewers = next(sample.value for family in metrics.viewers.collect() for sample in family.samples)
        return Pipeline(partitions=len(waiting), waiting_records=int(sum(waiting)), viewers=int(viewers))

    return show_pipeline
