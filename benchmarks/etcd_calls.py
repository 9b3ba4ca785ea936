"""How many calls an etcd has answered, as it counts them itself."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

_NOT_COUNTED = frozenset({"Watch"})  # streams, one for as long as somebody follows a prefix


def calls_answered(etcd: str) -> int:
    """Return how many calls of all methods etcd at `host:port` has answered since its start."""
    answer = httpx.get(f"http://{etcd}/metrics", trust_env=False).raise_for_status()
    return round(
        sum(
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == "grpc_server_handled_total" and sample.labels["grpc_method"] not in _NOT_COUNTED
        )
    )
