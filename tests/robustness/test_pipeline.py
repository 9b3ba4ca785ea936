"""From a process's stdout to the browser under faults: no line is lost, doubled or out of place (G8, G9).

Jobs print numbered lines, and each keeps a witness of what it printed. Viewers follow every run on both of two
log-ingesters. Meanwhile workers, Kafka, log-ingesters and the MongoDB server are killed, and log-ingesters come and
go. Then what is stored, and what the viewers saw, is held against the witnesses. `make test` runs it for a short
while, `make robustness` for two minutes. The seed is printed; `DCRON_TEST_SEED` gives the same faults again.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.keys import Keys
from dcron_core.settings import LogIngesterSettings
from tests.cluster import TOKEN, Cluster
from tests.faults import Faults, Kind
from tests.output_judge import (
    Piece,
    Printed,
    Run,
    View,
    stored_is_what_was_printed,
    viewers_saw_what_is_stored,
    witness,
)
from tests.viewers import Audience, EventViewer, SocketViewer, Viewer

FEW: tuple[Kind, ...] = ("worker/kafka", "log-ingester/mongodb")  # each of the four is killed
ALL: tuple[Kind, ...] = ("worker", "kafka", "log-ingester", "mongodb", "leave", "join", *FEW)
SETTLED_S = 180.0
LOOK_EVERY_S = 0.2
DEFAULTS = LogIngesterSettings(token=TOKEN)
SPOOLED = "dcron_worker_spool_records "

# Prints numbered lines until it is told to stop: now one, now many, of any length, also on stderr.
PRINTER = """
import os, random, sys, time
witness = open(os.path.join(os.environ["WITNESS"], os.environ["DCRON_EXECUTION_ID"]), "ab", buffering=0)
outputs = {"stdout": sys.stdout.buffer.raw, "stderr": sys.stderr.buffer.raw}
number = 0
while number == 0 or not os.path.exists(os.environ["STOP"]):
    lines = {"stdout": [], "stderr": []}
    for _ in range(random.choice([1] * 20 + [5, 40, 400])):
        stream = "stderr" if random.random() < 0.1 else "stdout"
        number += 1
        lines[stream].append(f"line {number} " + random.choice("aé⏱") * random.choice([0, 1, 9, 90]))
    now = time.time()
    for stream, some in lines.items():
        witness.write("".join(f"{now:.3f} {stream} {line}\\n" for line in some).encode())
        left = "".join(line + "\\n" for line in some).encode()
        while left:
            left = left[outputs[stream].write(left):]
    time.sleep(random.uniform(0.02, 0.4))
"""


class Size(NamedTuple):
    """How large, and for how long."""

    jobs: int
    kinds: tuple[Kind, ...]  # each comes as often as the others
    seconds: float  # at least; until each kind has had its turn
    most_s: float  # that a fault lasts
    rest_s: float  # between two


SHORT = Size(jobs=6, kinds=FEW, seconds=15, most_s=1.0, rest_s=0.5)
LONG = Size(jobs=20, kinds=ALL, seconds=120, most_s=4.0, rest_s=2.0)


@pytest.mark.parametrize("size", [SHORT, pytest.param(LONG, marks=pytest.mark.robustness)], ids=["short", "long"])
async def test_every_line_is_stored_once_and_seen_live_under_faults(private_cluster: Cluster, size: Size) -> None:
    """G6, G8, G9: what each job printed is stored once and in order, and is what the viewers who stayed saw."""
    cluster = private_cluster
    faults = Faults(cluster, size.kinds, most_s=size.most_s)
    await asyncio.to_thread(partial(cluster.start, workers=2, ingesters=2))
    jobs = _Jobs(cluster)
    async with _admitted(cluster) as audience:
        await asyncio.to_thread(jobs.start, size.jobs)
        over_s = time.monotonic() + size.seconds
        while len(faults.done) % len(size.kinds) or time.monotonic() < over_s:
            await asyncio.to_thread(faults.strike)
            await asyncio.sleep(size.rest_s)  # let it work undisturbed for a while
        jobs.stop()
        await _at_rest(cluster, faults)
        runs = _stored(cluster)
        await audience.all_left(runs, SETTLED_S)
    views = [viewer.view for viewer in audience.viewers]
    story = f"{_story(runs, views)}; {faults}"
    print(story)
    killed_at = {cluster.worker_id(each): faults.killed_at[each.name] for each in cluster.all_of("worker")}
    problems = [
        *(each for run in runs.values() for each in stored_is_what_was_printed(run, jobs.printed(run), killed_at)),
        *(each for view in views for each in viewers_saw_what_is_stored(runs[view.execution_id], view)),
    ]
    assert not problems, "\n".join([story, *problems[:20]])
    assert jobs.that_printed() <= runs.keys(), f"{story}: {jobs.that_printed() - runs.keys()} are not stored"
    assert sum(run.status == "succeeded" for run in runs.values()) >= size.jobs, story


class _Jobs:
    """The jobs of the test. A run that is lost with its worker is followed by another one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._witnesses = cluster.directory / "witnesses"
        self._witnesses.mkdir()
        self._stop = cluster.directory / "stop"

    def start(self, count: int) -> None:
        """Create the jobs and ask for a run of each."""
        with self._cluster.api() as master:
            for number in range(count):
                spec = {
                    "name": f"printer-{number}",
                    "run": {"argv": [sys.executable, "-I", "-S", "-c", PRINTER]},
                    "env": {"WITNESS": str(self._witnesses), "STOP": str(self._stop)},
                    "overlap": "allow",  # so that no run is ended because a lease is in doubt
                    "retry": {"attempts": 20, "backoff": "200ms", "backoff_cap": "200ms", "on": ["lost"]},
                }
                created = master.post("/api/v1/jobs", json=spec)
                assert created.status_code == 201, created.text
                asked = master.post(f"/api/v1/jobs/{created.json()['job_id']}/run")
                assert asked.status_code == 202, asked.text

    def stop(self) -> None:
        """Tell all runs to end, and those that follow after a line or so."""
        self._stop.touch()

    def that_printed(self) -> set[str]:
        """Return the runs that came so far as to print."""
        return {file.name for file in self._witnesses.iterdir()}

    def printed(self, run: Run) -> list[Printed]:
        """Return what the run says that it printed; nothing if it never came so far."""
        file = self._witnesses / run.execution_id
        return witness(file.read_text("utf-8", errors="replace")) if file.exists() else []


@asynccontextmanager
async def _admitted(cluster: Cluster) -> AsyncIterator[Audience]:
    """Let viewers follow every run as soon as a log-ingester lists it."""
    async with AsyncExitStack() as stack:
        faces = [await stack.enter_async_context(_face(each.url)) for each in cluster.all_of("log-ingester")]
        audience = Audience()
        stack.push_async_callback(audience.close)
        admitting = asyncio.create_task(_admit(faces, audience))
        try:
            yield audience
        finally:
            admitting.cancel()
            await asyncio.gather(admitting, return_exceptions=True)


def _face(url: str) -> httpx.AsyncClient:
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    token = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(base_url=url, headers=token, timeout=30, limits=unlimited, trust_env=False)


async def _admit(faces: Sequence[httpx.AsyncClient], audience: Audience) -> None:
    one, two = faces
    for face in itertools.cycle(faces):
        with suppress(httpx.HTTPError):  # it was killed, or MongoDB was: the next one, or this one later
            answer = await face.get("/api/v1/executions", params={"limit": 500})
            for run in answer.raise_for_status().json()["executions"]:
                audience.watch(run["execution_id"], _viewers(one, two, run["execution_id"]))
        await asyncio.sleep(LOOK_EVERY_S)


def _viewers(one: httpx.AsyncClient, two: httpx.AsyncClient, execution_id: str) -> Iterator[Viewer]:
    """Yield a viewer on the websocket of each log-ingester, and one on the events of the second."""
    yield SocketViewer(one, execution_id, "a viewer of the first log-ingester")
    yield SocketViewer(two, execution_id, "a viewer of the second log-ingester")
    yield EventViewer(two, execution_id, "a viewer of the second log-ingester")


async def _at_rest(cluster: Cluster, faults: Faults) -> None:
    """Wait until nothing of any run is under way: in etcd, on the workers' disks, or in Kafka and not stored."""
    over_s = time.monotonic() + SETTLED_S
    while left := [*await _open_keys(cluster), *await _spooled(cluster), *await _not_stored(cluster)]:
        assert time.monotonic() < over_s, f"{faults}: after {SETTLED_S:g} s there is {left[:10]}"
        await asyncio.sleep(LOOK_EVERY_S)


async def _open_keys(cluster: Cluster) -> list[str]:
    """Return the keys of runs that are wanted, and of those whose end is not in Kafka."""
    keys = Keys(cluster.names.etcd_prefix)
    async with EtcdStore.open(cluster.servers.etcd) as store:
        found = [await store.read_prefix(prefix) for prefix in (keys.runs, keys.executions)]
    return [item.key for each in found for item in each.items]


async def _spooled(cluster: Cluster) -> list[str]:
    """Return the workers that have records on disk only."""
    found = []
    for worker in cluster.all_of("worker"):
        async with _face(worker.url) as face:
            metrics = (await face.get("/metrics")).raise_for_status().text
        if not any(line.startswith(SPOOLED) and float(line.split()[-1]) == 0 for line in metrics.splitlines()):
            found.append(f"the spool of {worker.name}")
    return found


async def _not_stored(cluster: Cluster) -> list[str]:
    """Return the partitions with records that the log-ingesters' group has not committed."""
    topic = f"{cluster.names.topic_prefix}executions"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.servers.kafka, group_id=cluster.names.consumer_group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(DEFAULTS.execution_partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        return [str(each) for each in partitions if (await consumer.committed(each) or 0) < ends[each]]
    finally:
        await consumer.stop()


def _stored(cluster: Cluster) -> dict[str, Run]:
    """Return every run as it is in MongoDB."""
    with cluster.mongodb() as database:
        pieces: dict[str, list[Piece]] = {}
        for chunk in database.output.find({}).sort("_id"):
            of_run = pieces.setdefault(chunk["_id"].rpartition("/")[0], [])
            of_run.append(Piece(chunk["seq"], chunk["stream"], chunk["text"]))
        runs = [
            Run(each["_id"], each["status"], each["worker_id"], pieces.pop(each["_id"], []), each.get("output_chunks"))
            for each in database.executions.find({})
        ]
    assert not pieces, f"output of runs that are not there: {list(pieces)[:5]}"
    return {run.execution_id: run for run in runs}


def _story(runs: Mapping[str, Run], views: Sequence[View]) -> str:
    """Return what there was to judge."""
    ends = dict(Counter(run.status for run in runs.values()))
    chunks = sum(len(run.pieces) for run in runs.values())
    lines = sum(piece.text.count("\n") for run in runs.values() for piece in run.pieces)
    connections, gaps = sum(view.connections for view in views), sum(view.gaps for view in views)
    viewers = f"{len(views)} viewers in {connections} connections with {gaps} gaps"
    return f"{ends}, {lines} lines in {chunks} chunks, {viewers}"
