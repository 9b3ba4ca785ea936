"""Jobs that write more than anybody reads: memory stays bounded in worker and log-ingester, and others start in time.

On real processes and servers. What is bounded is the most memory that a process ever had (VmHWM) above what it had
before. `make test` runs a small form, `make robustness` the full one.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Struct
from websockets.sync.client import connect

from dcron_schemas.api import Frame, OutputFrame
from tests.cluster import TOKEN, Cluster, wait_until

MB = 1_000_000
LINE = "2026-01-01T00:00:00.000000 INFO copied part 000042 of archive-0001.tar.zst and checked its hash"
MOST_WORKER_BYTES = 50 * MB
MOST_INGESTER_BYTES = 150 * MB
MOST_LATE_S = 0.5
CLIENTS = 3


class Size(Struct, frozen=True):
    """How much is written."""

    printed: int  # by the job whose output is cut by the default limit
    kept: int  # by the one whose output is all kept
    line: int  # one line
    binary: int


SHORT = Size(printed=200 * MB, kept=20 * MB, line=10 * MB, binary=5 * MB)
FULL = Size(printed=1_000 * MB, kept=200 * MB, line=100 * MB, binary=100 * MB)


@pytest.mark.parametrize("size", [SHORT, pytest.param(FULL, marks=pytest.mark.robustness)], ids=["short", "full"])
def test_memory_is_bounded_and_others_start_in_time_whatever_a_job_writes(cluster: Cluster, size: Size) -> None:
    """G8, G9, G10: 1 GB as fast as it comes, one long line, binary output; then clients who read it all."""
    cluster.start(workers=1)
    with cluster.api() as master, cluster.api("log-ingester") as ingester:
        metronome = _create(master, "metronome", "true", schedule={"every": "1s"}, overlap="allow")
        wait_until(lambda: _runs(ingester, metronome), "the metronome to run")
        printers = {
            "cut": (f"yes '{LINE}' | head -c {size.printed}", {}, size.printed),
            "kept": (f"yes '{LINE}' | head -c {size.kept}", {"output_bytes": size.kept + MB}, size.kept),
            "line": (f"head -c {size.line} /dev/zero | tr '\\0' x", {"output_bytes": size.line + MB}, size.line),
            "binary": (f"head -c {size.binary} /dev/urandom", {"output_bytes": 4 * size.binary}, size.binary),
        }
        for name, (shell, limits, _) in printers.items():
            with peaks(cluster, name):
                run = _run(master, ingester, _create(master, name, shell, limits=limits))
            assert run["status"] == "succeeded", run
            if name != "cut":
                assert run["output_cut_bytes"] == 0
        kept = _runs(ingester, _id(master, "kept"))[0]["execution_id"]
        with peaks(cluster, "downloads"):
            _download_by_all(cluster, kept, size.kept)
        with peaks(cluster, "live views"):
            _view_by_all(cluster, kept, size.kept)
        late = [_lateness_s(run) for run in _runs(ingester, metronome)]
        print(f"lateness of {len(late)} starts: most {max(late):.3f} s, median {sorted(late)[len(late) // 2]:.4f} s")
        assert max(late) < MOST_LATE_S
        _check_cut(ingester, _runs(ingester, _id(master, "cut"))[0], size.printed)


@pytest.mark.parametrize(
    ("printed", "spool"), [(60 * MB, 16 << 20), pytest.param(600 * MB, 128 << 20, marks=pytest.mark.robustness)],
    ids=["short", "full"],
)  # fmt: skip
def test_a_printer_without_kafka_fills_its_share_of_the_disk_and_nothing_else(
    private_cluster: Cluster, printed: int, spool: int
) -> None:
    """G8, G10: its output is cut with a mark, no result is lost, memory is bounded, and others start in time."""
    cluster = private_cluster
    cluster.start(workers=1, DCRON_WORKER_SPOOL_BYTES=str(spool))
    with cluster.api() as master, cluster.api("log-ingester") as ingester, cluster.api("worker") as worker:
        metronome = _create(master, "metronome", "true", schedule={"every": "1s"}, overlap="allow")
        shell = f"sleep 2; yes '{LINE}' | head -c {printed}"
        printer = _create(master, "printer", shell, limits={"output_bytes": printed})
        wait_until(lambda: _runs(ingester, metronome), "the metronome to run")
        execution_id = master.post(f"/api/v1/jobs/{printer}/run").json()["execution_id"]
        wait_until(lambda: _runs(ingester, printer), "the printer to run")
        with peaks(cluster, "without Kafka"):
            cluster.servers.kafka_server.kill()
            wait_until(lambda: _said(master)["spool"].startswith("full"), "the worker to say that its spool is full")
            wait_until(lambda: _metric(worker, "dcron_worker_running") == 0, "the printer to end")
            before = _metric(worker, "dcron_worker_spool_records")
            wait_until(lambda: _metric(worker, "dcron_worker_spool_records") >= before + 8, "results of the metronome")
            assert _on_disk(cluster) <= spool
        cluster.servers.kafka_server.start()
        run = wait_until(lambda: _over(ingester, execution_id), "the printer's end to be stored", timeout_s=120)
        assert run["status"] == "succeeded"
        text = _output(ingester, execution_id)
        marks = re.findall(r"\n\[dcron: (\d+) bytes of stdout left out here, the worker's spool was full\]\n", text)
        assert sum(map(int, marks)) == run["output_cut_bytes"] == printed - _kept(text)
        wait_until(lambda: not _said(master)["spool"], "the worker to be well again")
        _check_metronome(ingester, metronome)


def _check_metronome(ingester: httpx.Client, job_id: str) -> None:
    """No tick is missing, and each started in time."""
    runs = wait_until(lambda: _without_hole(_runs(ingester, job_id)), "the metronome's runs to be stored")
    assert max(_lateness_s(run) for run in runs) < MOST_LATE_S


def _without_hole(runs: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    due = sorted(datetime.fromisoformat(run["due_at"]) for run in runs if run["finished_at"])
    gaps = {(after - before).total_seconds() for before, after in pairwise(due)}
    return runs if gaps == {1.0} and len(due) > 8 else None


def _over(ingester: httpx.Client, execution_id: str) -> dict[str, Any] | None:
    answer = ingester.get(f"/api/v1/executions/{execution_id}")
    run: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return run if run.get("finished_at") else None


def _output(ingester: httpx.Client, execution_id: str) -> str:
    url = f"/api/v1/executions/{execution_id}/output"
    return ingester.get(url, params={"format": "text"}, timeout=60).text


def _kept(text: str) -> int:
    return len(re.sub(r"\n\[dcron: [^\]]*\]\n", "", text))


def _said(master: httpx.Client) -> dict[str, Any]:
    """Return what the worker says of itself."""
    answer: dict[str, Any] = master.get("/api/v1/workers").json()["workers"][0]
    return answer


def _metric(worker: httpx.Client, name: str) -> float:
    lines = worker.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def _on_disk(cluster: Cluster) -> int:
    return sum(path.stat().st_size for path in cluster.directory.glob("worker-1/spool/*.segment"))


@contextmanager
def peaks(cluster: Cluster, what: str) -> Iterator[None]:
    """Hold the most memory of worker and log-ingester meanwhile against what they had before."""
    pids = {"worker": _pid(cluster, "worker"), "log-ingester": _pid(cluster, "log-ingester")}
    before = {name: _status_bytes(pid, "VmRSS") for name, pid in pids.items()}
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the former peak
    began_s = time.monotonic()
    yield
    taken_s = time.monotonic() - began_s
    grown = {name: _status_bytes(pid, "VmHWM") - before[name] for name, pid in pids.items()}
    story = ", ".join(f"{name} {before[name] // MB} + {grown[name] / MB:.0f} MB" for name in pids)
    print(f"{what}: {taken_s:.1f} s; {story}")
    assert grown["worker"] < MOST_WORKER_BYTES, f"{what}: {story}"
    assert grown["log-ingester"] < MOST_INGESTER_BYTES, f"{what}: {story}"


def _pid(cluster: Cluster, component: str) -> int:
    child = cluster.all_of(component)[0].child
    assert child is not None
    return child.pid


def _status_bytes(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _create(master: httpx.Client, name: str, shell: str, **fields: Any) -> str:
    answer = master.post("/api/v1/jobs", json={"name": name, "run": {"shell": shell}, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


def _id(master: httpx.Client, name: str) -> str:
    return str(master.get("/api/v1/jobs", params={"name": name}).json()["jobs"][0]["job_id"])


def _run(master: httpx.Client, ingester: httpx.Client, job_id: str) -> dict[str, Any]:
    """Run the job; return the run as it is stored when it is over."""
    assert master.post(f"/api/v1/jobs/{job_id}/run").status_code == 202

    def over() -> dict[str, Any] | None:
        runs = _runs(ingester, job_id)
        return runs[0] if runs and runs[0]["finished_at"] else None

    return wait_until(over, "the run to be over", timeout_s=240)


def _runs(ingester: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    answer = ingester.get("/api/v1/executions", params={"job_id": job_id, "limit": 200})
    found: list[dict[str, Any]] = answer.json()["executions"]
    return found


def _lateness_s(run: dict[str, Any]) -> float:
    began, due = (datetime.fromisoformat(run[name]) for name in ("started_at", "due_at"))
    return (began - due).total_seconds()


def _download_by_all(cluster: Cluster, execution_id: str, size: int) -> None:
    """Read a whole output by several clients at a time."""
    received = [0] * CLIENTS

    def download(number: int) -> None:
        with (
            cluster.api("log-ingester") as client,
            client.stream("GET", f"/api/v1/executions/{execution_id}/output", params={"format": "text"}) as answer,
        ):
            for piece in answer.iter_bytes():
                received[number] += len(piece)

    _all_at_once(download)
    assert received == [size] * CLIENTS


def _view_by_all(cluster: Cluster, execution_id: str, size: int) -> None:
    """Follow a whole output over websockets, while others have connected and take nothing."""
    url = f"{cluster.all_of('log-ingester')[0].url.replace('http', 'ws', 1)}/ws/executions/{execution_id}"
    token = {"Authorization": f"Bearer {TOKEN}"}
    received = [0] * CLIENTS

    def view(number: int) -> None:
        with connect(url, additional_headers=token, proxy=None) as socket:
            for message in socket:
                frame = msgspec.json.decode(message, type=Frame)
                received[number] += len(frame.chunk.text) if isinstance(frame, OutputFrame) else 0

    with ExitStack() as stalled:
        for _ in range(CLIENTS):
            stalled.enter_context(connect(url, additional_headers=token, proxy=None, close_timeout=0.1))
        _all_at_once(view)
    assert received == [size] * CLIENTS


def _all_at_once(work: Callable[[int], None]) -> None:
    """Let every client do that."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))


def _check_cut(ingester: httpx.Client, run: dict[str, Any], printed: int) -> None:
    """Of what was too much, head and tail are there, and a line between them says how much is missing."""
    text = _output(ingester, run["execution_id"])
    mark = f"\n[dcron: {run['output_cut_bytes']} bytes of stdout left out here]\n"
    head, tail = text.split(mark)
    whole = f"{LINE}\n" * (printed // (len(LINE) + 1) + 1)
    assert whole[: len(head)] == head
    assert whole[:printed].endswith(tail)
    assert len(head) + len(tail) + run["output_cut_bytes"] == printed
