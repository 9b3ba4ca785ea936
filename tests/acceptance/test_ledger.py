"""The ledger on real servers: every tick is accounted for while jobs change and a worker dies (G4, G5, G6)."""

import os
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from dcron_schemas.audit import Ledger
from dcron_standalone.supervision import Supervised
from tests.cluster import TOKEN, Cluster, dcron_command, ledger_of, wait_until

EACH_SECOND = {"cron": "* * * * * *"}


def test_every_tick_is_accounted_for_while_jobs_change_and_a_worker_dies(cluster: Cluster) -> None:
    """G4, G5, G6: no double, none unaccounted; a record that is taken away makes exactly its tick UNACCOUNTED."""
    cluster.start(masters=1, workers=2)
    jobs = _create_jobs(cluster)
    first = datetime.now(UTC)
    with cluster.api() as master:
        _change(master, jobs, cluster.all_of("worker")[0])
    end = datetime.now(UTC)
    with cluster.api("log-ingester") as ingester, cluster.mongodb() as database:
        ledger = wait_until(lambda: _settled(ingester, {"end": end.isoformat()}), "the ledger to settle", timeout_s=150)
        totals = ledger.totals
        assert (totals.doubles, totals.unaccounted, ledger.ticks) == (0, 0, ()), ledger
        assert totals.ticks == totals.runs + sum(totals.skips.values()) + totals.withdrawn
        assert totals.runs > 40
        _check_each_job(ingester, jobs, end)

        steady = ledger_of(ingester, {"job_id": jobs["steady"], "end": end.isoformat()})
        run = next(tick for tick in steady.ticks if tick.tick > first and tick.outcome == "run")
        assert run.execution_id is not None
        document = database.executions.find_one_and_delete({"_id": run.execution_id})
        assert document is not None
        after = wait_until(lambda: _settled(ingester, {"end": end.isoformat()}), "its record not to be under way")
        assert [(tick.tick, tick.outcome) for tick in after.ticks] == [(run.tick, "unaccounted")]
        assert after.totals == msgspec.structs.replace(totals, runs=totals.runs - 1, unaccounted=1)
        code, said = _dcron(cluster, "audit", "ledger", "steady", "--to", end.isoformat())
        assert code == 1, said
        assert said.count("UNACCOUNTED") == 1
        assert "1 unaccounted" in said

        database.executions.insert_one({**document, "claims": [*document["claims"], 1]})
        doubled = ledger_of(ingester, {"end": end.isoformat()})
        assert [(tick.tick, tick.outcome, tick.claims) for tick in doubled.ticks] == [(run.tick, "run", 2)]
        database.executions.replace_one({"_id": document["_id"]}, document)
        code, said = _dcron(cluster, "audit", "ledger", "--to", end.isoformat())
        assert code == 0, said
        assert "0 doubles, 0 unaccounted" in said
        code, said = _dcron(cluster, "audit", "ledger", jobs["steady"], "--to", end.isoformat(), "--json")
        assert code == 0, said
        assert msgspec.json.decode(said, type=Ledger) == steady


def _create_jobs(cluster: Cluster) -> dict[str, str]:
    """Create jobs that tick each second, of which one rests all year; return name → id."""
    year = datetime.now(UTC).year
    specs: list[dict[str, Any]] = [
        {"name": "steady", "schedule": EACH_SECOND},
        {"name": "paused", "schedule": EACH_SECOND, "overlap": "allow"},
        {"name": "edited", "schedule": EACH_SECOND, "overlap": "allow"},
        {"name": "deleted", "schedule": {"every": "1s"}, "overlap": "allow"},
        {"name": "slow", "schedule": EACH_SECOND, "run": {"argv": ["/bin/sleep", "1.5"]}},
        {"name": "by-hand"},
        {"name": "everywhere", "schedule": EACH_SECOND, "placement": {"workers": "every"}, "overlap": "allow"},
        {"name": "resting", "schedule": EACH_SECOND, "exclude": [f"{year}-01-01..{year + 1}-12-31"]},
    ]
    jobs = {}
    with cluster.api() as master:
        for spec in specs:
            answer = master.post("/api/v1/jobs", json={"run": {"argv": ["/bin/true"]}, **spec})
            assert answer.status_code == 201, answer.text
            jobs[spec["name"]] = answer.json()["job_id"]
    return jobs


def _change(master: httpx.Client, jobs: dict[str, str], victim: Supervised) -> None:
    """Edit, pause, resume and delete jobs, and kill a worker, one thing after the other."""
    schedules: list[dict[str, Any]] = [{"every": "1s"}, EACH_SECOND, {"cron": "*/2 * * * * *"}, {"every": "2s"}]
    for turn in range(12):
        _put(master, jobs["edited"], {"name": "edited", "schedule": schedules[turn % 4], "description": f"{turn}"})
        _post(master, jobs["paused"], "resume" if turn % 2 else "pause")
        if turn == 3:
            assert victim.child is not None
            victim.child.kill()
        if turn == 6:
            victim.start()
        if turn == 8:
            assert master.delete(f"/api/v1/jobs/{jobs['deleted']}").is_success
        _post(master, jobs["by-hand"], "run")
        time.sleep(1.35)  # the jobs' ticks are what passes meanwhile; the turns fall on all parts of a second


def _put(master: httpx.Client, job_id: str, spec: dict[str, Any]) -> None:
    url = f"/api/v1/jobs/{job_id}"
    body = {"run": {"argv": ["/bin/true"]}, "overlap": "allow", **spec}
    answer = master.put(url, json=body, headers={"If-Match": master.get(url).headers["ETag"]})
    assert answer.is_success, answer.text


def _post(master: httpx.Client, job_id: str, what: str) -> None:
    answer = master.post(f"/api/v1/jobs/{job_id}/{what}")
    assert answer.is_success, answer.text


def _settled(ingester: httpx.Client, query: dict[str, Any]) -> Ledger | None:
    ledger = ledger_of(ingester, query)
    return None if ledger.totals.pending else ledger


def _check_each_job(ingester: httpx.Client, jobs: dict[str, str], end: datetime) -> None:
    ledgers = {name: ledger_of(ingester, {"job": name, "end": end.isoformat()}) for name in jobs}
    assert {name: ledger.job_id for name, ledger in ledgers.items()} == jobs, "also the one that was deleted"
    whole = ledger_of(ingester, {"end": end.isoformat()})
    for ledger in ledgers.values():
        assert ledger.totals.doubles == ledger.totals.unaccounted == 0
        listed = ledger.totals.ticks + ledger.totals.beyond + sum(ledger.totals.excluded.values())
        assert len(ledger.ticks) == listed
    assert whole.totals.ticks == sum(ledger.totals.ticks for ledger in ledgers.values())
    steady = ledgers["steady"]
    seconds = {tick.tick for tick in steady.ticks}
    span = (max(seconds) - min(seconds)) // timedelta(seconds=1) + 1
    assert steady.totals.ticks == len(seconds) == span
    assert ledgers["slow"].totals.skips["overlap"] >= 3
    assert ledgers["by-hand"].totals.ticks == 0
    lines = Counter(tick.tick for tick in ledgers["everywhere"].ticks)
    assert Counter(lines.values())[2] > 5, "a line for each worker"
    assert len({tick.worker_id for tick in ledgers["everywhere"].ticks}) == 2
    [rest] = ledgers["resting"].ticks
    assert (rest.outcome, rest.reason, rest.recorded) == ("excluded", "calendar", False), "there is no tick to come"
    assert rest.count > 10
    versions = Counter(tick.version for tick in ledgers["edited"].ticks)
    assert len(versions) >= 6, versions


def _dcron(cluster: Cluster, *arguments: str) -> tuple[int, str]:
    environment = {
        **os.environ,
        "DCRON_URL": cluster.all_of("master")[0].url,
        "DCRON_TOKEN": TOKEN,
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [*dcron_command(), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr
