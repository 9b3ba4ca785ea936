"""`GET /api/v1/pipeline` tells what the metrics hold."""

from litestar.testing import create_test_client

from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.pipeline_api import pipeline_route


def test_the_lag_of_all_partitions_is_one_number() -> None:
    metrics = Metrics()
    with create_test_client(pipeline_route(metrics)) as client:
        assert client.get("/api/v1/pipeline").json() == {"partitions": 0, "waiting_records": 0, "viewers": 0}
        metrics.lag.labels("0").set(40)
        metrics.lag.labels("3").set(2)
        metrics.viewers.inc()
        assert client.get("/api/v1/pipeline").json() == {"partitions": 2, "waiting_records": 42, "viewers": 1}
