"""`/metrics` of all three services, held to Prometheus' conventions (prometheus.io/docs/practices/naming)."""

import asyncio
import re
from pathlib import Path

import pytest

from dcron_core.version import VERSION
from dcron_schemas.records import ExecutionFinished
from tests.scrapes import Scrape, all_services, scrape
from tests.services import Ports

JOB = {"name": "quick", "schedule": {"cron": "* * * * * *"}, "run": {"argv": ["/bin/true"]}, "overlap": "allow"}
BASE_UNITS = ("seconds", "bytes", "ratio", "info")
# A unit that is no base unit, as a word of a name.
OTHER_UNITS = {
    "ms", "milliseconds", "millis", "us", "microseconds", "nanoseconds", "minutes", "hours", "days", "kb", "kib",
    "kilobytes", "mb", "mib", "megabytes", "gb", "percent", "percentage",
}  # fmt: skip
# Each has few values, known beforehand. What grows with jobs, runs, users or requests is no label.
LABELS = {
    "kind", "outcome", "result", "reason", "record", "state", "collection", "partition", "condition", "status",
    "verdict", "use", "order", "key_id", "service", "version", "le", "implementation", "major", "minor", "patchlevel",
}  # fmt: skip
MOST_SERIES = 250
PROMISED = {  # what an operator is to find, whatever else there is
    "dcron_worker_tick_lateness_seconds_bucket", "dcron_worker_claims_total", "dcron_worker_runs_total",
    "dcron_worker_spool_bytes", "dcron_worker_spool_records", "dcron_worker_spool_limit_bytes",
    "dcron_ingester_lag_records", "dcron_master_projection_position", "dcron_master_projection_lag_events",
    "dcron_worker_lease_grant_timestamp_seconds", "dcron_worker_lease_renewal_timestamp_seconds",
    "dcron_master_commands_total",
}  # fmt: skip


async def scrapes_of_a_small_run(data: Path) -> list[Scrape]:
    """Let a job run twice, and scrape all services."""
    ports = Ports()
    async with all_services(ports, data) as clients:
        answer = await clients["master"].post("/api/v1/jobs", json=JOB)
        assert answer.status_code == 201, answer.text
        async with asyncio.timeout(20):
            await ports.wait_for(ExecutionFinished, 2)
            while (found := await scrape("master", clients["master"])).value("dcron_master_jobs") != 1:
                await asyncio.sleep(0.05)  # the gauges are looked after ten times a second
            return [found, *[await scrape(name, clients[name]) for name in ("worker", "log-ingester")]]


def problems_of(scraped: Scrape) -> list[str]:
    """Say what is against the conventions."""
    problems = []
    for family in scraped.families:
        name = family.name
        ours = re.fullmatch(r"dcron_[a-z]+(_[a-z]+)*", name)
        if not (ours or name.startswith(("process_", "python_"))):
            problems.append(f"{name}: not a name in snake case under dcron_")
        if ours and family.type not in {"counter", "gauge", "histogram"}:
            problems.append(f"{name}: is of type {family.type}")
        if ours and not re.fullmatch(r"[A-Z0-9].*\.", family.documentation):
            problems.append(f"{name}: its help is no sentence: {family.documentation!r}")
        problems += _problems_of_name(name, family.type)
        for label in {label for sample in family.samples for label in sample.labels} - LABELS:
            problems.append(f"{name}: label {label} is not one whose values are known to be few")
        for sample in family.samples:
            if (family.type == "counter") != sample.name.endswith("_total"):
                problems.append(f"{sample.name}: counters alone, and all of them, end in _total")
    return problems


def _problems_of_name(name: str, kind: str) -> list[str]:
    words = name.split("_")
    problems = [f"{name}: {word} is no base unit" for word in sorted(OTHER_UNITS & set(words))]
    problems += [f"{name}: {unit} belongs at the end" for unit in BASE_UNITS if unit in words[:-1]]
    if words[-1] in {"count", "sum", "bucket"}:
        problems.append(f"{name}: ends as a part of a histogram does")
    if kind == "histogram" and words[-1] not in BASE_UNITS:
        problems.append(f"{name}: a histogram without a unit")
    if "age" in words or "ago" in words:
        problems.append(f"{name}: tell when it was (_timestamp_seconds), not how long ago")
    if name.startswith("dcron_") and "timestamp" in words and words[-2:] != ["timestamp", "seconds"]:
        problems.append(f"{name}: an instant ends in _timestamp_seconds")
    return problems


async def test_the_metrics_of_all_services_keep_the_conventions(tmp_path: Path) -> None:
    scraped = await scrapes_of_a_small_run(tmp_path)
    assert [problem for each in scraped for problem in problems_of(each)] == []
    assert set().union(*(each.names for each in scraped)) >= PROMISED
    for each in scraped:
        assert each.value("dcron_build_info", service=each.service, version=VERSION) == 1
        assert each.value("process_start_time_seconds") > 0
        series = sum(len(family.samples) for family in each.families)
        assert series < MOST_SERIES, f"{each.service} shows {series} series"


async def test_the_metrics_tell_what_happened(tmp_path: Path) -> None:
    master, worker, ingester = await scrapes_of_a_small_run(tmp_path)
    assert master.value("dcron_master_commands_total", kind="JobCreated", outcome="applied") == 1
    assert master.value("dcron_master_commands_total", kind="JobDeleted", outcome="unknown") == 0, "seen from zero"
    assert master.value("dcron_ready_condition", condition="projection") == 1
    assert worker.value("dcron_worker_runs_total", outcome="succeeded") >= 2
    assert worker.value("dcron_worker_tick_lateness_seconds_count") >= 2
    now = Ports().clock.now().timestamp()
    assert now - 20 < worker.value("dcron_worker_lease_renewal_timestamp_seconds") <= now + 1
    assert worker.value("dcron_worker_lease_trust_seconds") > 0
    assert worker.value("dcron_ready_condition", condition="lease") == 1
    assert ingester.value("dcron_ready_condition", condition="mongodb") == 0, "there is none"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# HELP dcron_x_ms How long.\n# TYPE dcron_x_ms gauge\ndcron_x_ms 1\n", "ms is no base unit"),
        ("# HELP dcron_x_total X.\n# TYPE dcron_x_total gauge\ndcron_x_total 1\n", "end in _total"),
        ('# HELP dcron_x X.\n# TYPE dcron_x gauge\ndcron_x{job_id="j"} 1\n', "label job_id"),
        ("# HELP dcron_x how\n# TYPE dcron_x gauge\ndcron_x 1\n", "no sentence"),
        ("# HELP x X.\n# TYPE x gauge\nx 1\n", "not a name"),
        ("# HELP dcron_seconds_x X.\n# TYPE dcron_seconds_x gauge\ndcron_seconds_x 1\n", "belongs at the end"),
        (
            "# HELP dcron_x_age_seconds X.\n# TYPE dcron_x_age_seconds gauge\ndcron_x_age_seconds 1\n",
            "not how long ago",
        ),
    ],
)
def test_what_is_against_the_conventions_is_found(text: str, problem: str) -> None:
    assert any(problem in each for each in problems_of(Scrape("x", text)))


async def test_answers_are_counted_by_status(tmp_path: Path) -> None:
    """G11: refusals can be alerted on."""
    ports = Ports()
    async with ports.master() as (master, client), ports.client(master.port, "not the token at all") as stranger:
        before = await scrape("master", client)
        assert (await stranger.get("/api/v1/jobs")).status_code == 401
        after = await scrape("master", client)
        assert before.value("dcron_http_responses_total", status="401") == 0
        assert after.value("dcron_http_responses_total", status="401") == 1
