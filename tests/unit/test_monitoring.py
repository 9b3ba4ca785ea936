"""What compose gives Prometheus and Grafana: every service is asked, every metric is on the dashboard."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.compose_file import DEPLOY, raw
from tests.scrapes import all_services, scrape
from tests.services import Ports

DASHBOARD = DEPLOY / "grafana" / "dashboards" / "dcron.json"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
PORTS = {"master": "8700", "log-ingester": "8701", "worker": "8702"}
FROM_ELSEWHERE = ("up", "etcd_", "process_")
SUFFIXES = r"_(total|bucket|count|sum)$"


def prometheus() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    return parsed


def panels() -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in parsed if panel["type"] != "row"]


def expressions() -> list[str]:
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


def shown() -> set[str]:
    """Return the names that the dashboard asks for; fails if Prometheus would not take an expression."""
    names: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)

    for expression in expressions():
        promql_parser.walk(promql_parser.parse(expression), visit)
    return names


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of dcron's own metrics, as running services show them."""

    async def scraped() -> set[str]:
        async with all_services(Ports(), tmp_path_factory.mktemp("worker")) as clients:
            return set.union(*[(await scrape(name, client)).names for name, client in clients.items()])

    return {name for name in asyncio.run(scraped()) if name.startswith("dcron_")}


def test_every_metric_of_the_services_has_a_panel(live: set[str]) -> None:
    families = {re.sub(SUFFIXES, "", name) for name in live}
    assert families - {re.sub(SUFFIXES, "", name) for name in shown()} == set()


def test_the_dashboard_asks_for_nothing_that_is_not_there(live: set[str]) -> None:
    histograms = {f"{name}_bucket" for name in live}
    assert {name for name in shown() if not name.startswith(FROM_ELSEWHERE)} - live - histograms == set()


def test_panels_lie_beside_each_other_and_have_a_title_a_unit_and_a_source() -> None:
    taken: set[tuple[int, int]] = set()
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_grafana_finds_the_dashboard_where_compose_mounts_it() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "dcron.yaml").read_text())["providers"]
    mounts = [mount.split(":") for mount in raw()["services"]["grafana"]["volumes"] if mount.startswith("./")]
    sources = {target: DEPLOY / source for source, target, _ in mounts}
    assert (sources[provider["options"]["path"]] / DASHBOARD.name).exists()
    assert sources["/etc/grafana/provisioning"] == PROVISIONING


def test_prometheus_asks_every_service_by_tls_with_the_token_of_metrics() -> None:
    """Job names begin with `dcron`, as the alert rules want them."""
    jobs = {job["job_name"]: job for job in prometheus()["scrape_configs"]}
    for component, port in PORTS.items():
        job = jobs[f"dcron-{component}"]
        wanted = {f"{name}:{port}" for name in raw()["services"] if name.startswith(f"{component}-")}
        assert set(job["static_configs"][0]["targets"]) == wanted
        assert job["scheme"] == "https"
        assert job["authorization"] == {"credentials_file": "/run/secrets/metrics-token"}
        assert job["tls_config"] == {"ca_file": "/run/secrets/ca.crt"}


def test_prometheus_reads_the_rules_that_compose_mounts() -> None:
    mounts = [
        mount.removesuffix(":ro").split(":")
        for mount in raw()["services"]["prometheus"]["volumes"]
        if mount.startswith("./")
    ]
    mounted = {target: DEPLOY / source for source, target in mounts}
    for rules in prometheus()["rule_files"]:
        assert Path(mounted[rules]).is_file()
