"""Who can write to etcd, and has no key, makes nothing run: real services on the real servers (G12).

What such a person can do all the same is shown too: bring back what a master once signed. `dcron log verify` names it.
"""

import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import msgspec

from dcron_core.access.signing import Signatures, taken_apart
from dcron_core.keys import Keys
from dcron_core.ports.store import Put
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import JobEntry, RunWanted
from dcron_schemas.workers import WorkerList
from dcron_standalone.supervision import Supervised
from tests.acceptance.test_log_tools import create, dcron, in_etcd, write
from tests.cluster import Cluster, dcron_command, ledger_of, wait_until
from tests.signing_keys import OTHER_PUBLIC_KEY, OTHER_SIGNING_KEY, PUBLIC_KEY

BOTH = f"{PUBLIC_KEY},{OTHER_PUBLIC_KEY}"


def value_of(cluster: Cluster, job_id: str) -> bytes:
    item = in_etcd(cluster, lambda store: store.get(Keys(cluster.names.etcd_prefix).job(job_id)))
    assert item is not None
    return item.value


def refused(cluster: Cluster) -> dict[str, float]:
    """Return the metric of the first worker, by reason, as far as it has grown."""
    text = httpx.get(f"{cluster.all_of('worker')[0].url}/metrics", headers=_token(cluster), trust_env=False).text
    found = re.findall(r'^dcron_worker_definitions_refused_total\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {reason: float(count) for reason, count in found if float(count)}


def _token(cluster: Cluster) -> dict[str, str]:
    return {"Authorization": f"Bearer {cluster.environment()['DCRON_TOKEN']}"}


def shown(master: httpx.Client) -> list[str]:
    answer = msgspec.json.decode(master.get("/api/v1/workers").content, type=WorkerList)
    assert all(worker.verifies for worker in answer.workers)
    return [worker.refused for worker in answer.workers]


class Evil:
    """Leaves a trace for each thing that ran and must not."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()

    def run(self, name: str) -> Run:
        return Run(argv=("/bin/touch", str(self._directory / name)))

    @property
    def traces(self) -> list[str]:
        return sorted(path.name for path in self._directory.iterdir())


def test_nothing_that_is_written_straight_into_etcd_runs(cluster: Cluster, tmp_path: Path) -> None:
    """G12: a forged job, an altered one, one in another's place, one of a stranger; forged requests. Others go on."""
    evil = Evil(tmp_path / "evil")
    cluster.start(workers=1)
    keys = Keys(cluster.names.etcd_prefix)
    with cluster.api() as master, cluster.mongodb() as database:
        good, altered, swapped = create(master, "good"), create(master, "altered"), create(master, "swapped")
        asked = create(master, "asked", schedule=None, run=msgspec.to_builtins(evil.run("asked")))

        def runs(job_id: str) -> int:
            return database.executions.count_documents({"job_id": job_id, "finished_at": {"$exists": True}})

        wait_until(lambda: runs(good) and runs(altered) and runs(swapped), "the jobs to run")
        model = decode_state(JobEntry, value_of(cluster, good))
        forged = msgspec.structs.replace(model, job_id="forged", spec=_with(model, evil, "forged"))
        strange = msgspec.structs.replace(model, job_id="strange", spec=_with(model, evil, "strange"))
        request = RunWanted(
            execution_id=f"{asked}.rforged.1",
            job_id=asked,
            trigger="request",
            requested_at=datetime.now().astimezone(),
            requested_by="somebody",
        )
        retry = msgspec.structs.replace(request, execution_id=f"{asked}.tforged.2", trigger="retry", attempt=2)
        one_byte = value_of(cluster, altered).replace(b"/bin/true", b"/bin/trve")
        write(
            cluster,
            Put(keys.job("forged"), encode(forged)),
            Put(keys.job("strange"), Signatures(OTHER_SIGNING_KEY).signed("jobs/strange", encode(strange))),
            Put(keys.job(altered), one_byte),
            Put(keys.job(swapped), value_of(cluster, asked)),
            Put(keys.run(request.execution_id), encode(request)),
            Put(keys.run(retry.execution_id), encode(retry)),
        )
        want = {"altered": 1.0, "misplaced": 1.0, "unknown_key": 1.0, "unsigned": 3.0}
        wait_until(lambda: refused(cluster) == want, "the metric", lambda: refused(cluster))
        wait_until(lambda: shown(master) == ["1 altered, 1 misplaced, 1 unknown_key, 3 unsigned"], "the list to say so")
        before = runs(good), runs(altered), runs(swapped)
        wait_until(lambda: runs(good) >= before[0] + 3, "three more runs of the good job")
        assert runs(altered) <= before[1] + 1, "but for the run that was under way"
        assert runs(swapped) <= before[2] + 1
        assert evil.traces == []
        assert refused(cluster) == want, "each version is told of once, not each tick"
        log = cluster.all_of("worker")[0].log.read_text()
        assert log.count("definition.refused") == 6
        found = dcron(cluster, "verify", code=1)
        assert [kind for kind in ("different", "extra") if kind in found] == ["different", "extra"], found
        dcron(cluster, "repair")
        assert "is the fold of the log" in dcron(cluster, "verify")
        wait_until(
            lambda: runs(altered) >= before[1] + 3 and runs(swapped) >= before[2] + 3, "the repaired jobs to run"
        )
        wait_until(lambda: shown(master) == ["2 unsigned"], "only the forged requests to be left")
        assert master.post(f"/api/v1/jobs/{asked}/run").status_code == 202
        wait_until(lambda: evil.traces == ["asked"], "what was asked for over a master to run")


def _with(entry: JobEntry, evil: Evil, name: str) -> JobSpec:
    return msgspec.structs.replace(entry.spec, name=name, run=evil.run(name))


def test_an_old_version_brought_back_runs_and_is_named(cluster: Cluster, tmp_path: Path) -> None:
    """What G12 does not catch: a master did sign this. `dcron log verify` finds it, and so does any next edit."""
    evil = Evil(tmp_path / "evil")
    cluster.start(workers=1, ingesters=0)
    keys = Keys(cluster.names.etcd_prefix)
    with cluster.api() as master:
        job_id = create(master, "job", run=msgspec.to_builtins(evil.run("old")))
        wait_until(lambda: evil.traces == ["old"], "the old version to run")
        old = value_of(cluster, job_id)
        spec = {"name": "job", "schedule": {"cron": "* * * * * *"}, "run": msgspec.to_builtins(evil.run("new"))}
        assert master.put(f"/api/v1/jobs/{job_id}", json=spec, headers={"If-Match": '"1"'}).status_code == 200
        wait_until(lambda: evil.traces == ["new", "old"], "the new version to run")
        (tmp_path / "evil" / "old").unlink()
        write(cluster, Put(keys.job(job_id), old))
        wait_until(lambda: evil.traces == ["new", "old"], "the old version to run again: nobody knows better")
        assert refused(cluster) == {}
        assert "different" in dcron(cluster, "verify", code=1)
        said = _tool(cluster, "repair", DCRON_SIGNING_KEY="")
        assert "what is written is not signed; workers with DCRON_TRUSTED_KEYS refuse it" in said
        wait_until(lambda: refused(cluster) == {"unsigned": 1.0}, "the worker to refuse it")
        assert "unsigned" in dcron(cluster, "verify", code=1)
        assert "workers with DCRON_TRUSTED_KEYS refuse" not in _tool(cluster, "repair")
        assert "is the fold of the log" in dcron(cluster, "verify")
        assert taken_apart(value_of(cluster, job_id)).rest != taken_apart(old).rest


def test_keys_are_changed_without_a_missed_tick(cluster: Cluster) -> None:
    """G12, G5: masters, then definitions, then workers come to the new key, while a job is due each second."""
    cluster.start(masters=0, workers=2, DCRON_TRUSTED_KEYS=BOTH)
    old_master = cluster.add("master", "DCRON_MASTER_PORT", DCRON_TRUSTED_KEYS=BOTH)
    cluster.wait_ready()
    began = datetime.now().astimezone()
    with cluster.api() as master:
        job_id = create(master, "each-second")
        create(master, "seldom", schedule={"cron": "0 0 1 1 *"})
    with cluster.mongodb() as database:

        def ticks() -> list[datetime]:
            query = {"job_id": job_id, "finished_at": {"$exists": True}}
            return sorted(run["due_at"] for run in database.executions.find(query))

        def some_more() -> None:
            before = len(ticks())
            wait_until(lambda: len(ticks()) >= before + 2, "two more runs")

        some_more()
        new_master = cluster.add(
            "master", "DCRON_MASTER_PORT", DCRON_SIGNING_KEY=OTHER_SIGNING_KEY, DCRON_TRUSTED_KEYS=BOTH
        )
        wait_until(new_master.is_ready, "the master with the new key")
        _stop(cluster, old_master)
        some_more()
        assert "2 values were written; now all of 2 jobs" in _resign(cluster)
        assert "0 values were written" in _resign(cluster)
        some_more()
        for number, worker in enumerate(cluster.all_of("worker"), 3):
            data = str(cluster.directory / f"worker-{number}")
            cluster.add("worker", "DCRON_WORKER_PORT", DCRON_WORKER_DATA=data, DCRON_TRUSTED_KEYS=OTHER_PUBLIC_KEY)
            cluster.wait_ready()
            _stop(cluster, worker)
            some_more()
        due = ticks()
    assert due == [due[0] + timedelta(seconds=n) for n in range(len(due))], "a tick was missed, or late"
    with cluster.api("log-ingester") as ingester:
        query = {"job_id": job_id, "start": began.isoformat(), "end": due[-1].isoformat() + "Z"}
        ledger = ledger_of(ingester, query)
    assert (ledger.totals.unaccounted, ledger.totals.doubles) == (0, 0)
    with cluster.api() as master:
        assert shown(master) == ["", ""], "with the old key gone nothing is refused"


def _resign(cluster: Cluster) -> str:
    return _tool(cluster, "resign", DCRON_SIGNING_KEY=OTHER_SIGNING_KEY, DCRON_TRUSTED_KEYS=BOTH)


def _tool(cluster: Cluster, name: str, **settings: str) -> str:
    """Run `dcron log …` with these settings; return all that it printed."""
    done = subprocess.run(
        [*dcron_command(), "log", name],
        env=cluster.environment() | {"COLUMNS": "300"} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def _stop(cluster: Cluster, service: Supervised) -> None:
    cluster.services.remove(service)
    assert service.child is not None
    service.child.stop(30.0)
