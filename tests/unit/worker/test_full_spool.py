"""A spool that is full, and a disk that takes nothing: output is cut before results are, and runs go on (G8, G10)."""

import asyncio
import errno
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.http.probes import Readiness
from dcron_schemas.codec import decode_record, decode_state
from dcron_schemas.records import Execution, ExecutionFinished, OutputChunk
from dcron_schemas.state import ExecutionEntry, WorkerEntry
from dcron_worker.batches import TransactionBatches
from dcron_worker.entries import Entries
from dcron_worker.errors import SpoolError, SpoolFullError
from dcron_worker.mask import Mask
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.output import Chunk, Stream
from dcron_worker.output_bound import OutputBound
from dcron_worker.planner import Planner
from dcron_worker.run_output import RunOutput
from dcron_worker.service import Worker
from dcron_worker.spool import RESERVE_SHARE, Spool
from dcron_worker.spool_segment import SpoolRecord
from dcron_worker.spool_state import SpoolState
from tests.services import KEYS, Ports
from tests.unit.worker.test_service import finished_of, nothing_left, on_request, put_job, want_run

AT = datetime(2026, 1, 1, tzinfo=UTC)
MARK = re.compile(r"\n\[dcron: (\d+) bytes of (stdout|stderr) left out here[^\]]*\]\n")
SMALL = str(16 << 20)
PATIENCE_S = 30.0


def on_disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.segment"))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 900), st.integers(0, 3)), max_size=120))
@settings(deadline=None, max_examples=60)
def test_the_bound_holds_and_what_is_expendable_leaves_an_eighth(steps: list[tuple[bool, int, int]]) -> None:
    """G8: whatever comes and is acknowledged, the bytes on disk are within the bound, and room comes back."""
    limit = 16_000

    async def scenario(directory: Path) -> None:
        async with Spool(directory, SystemClock(), limit_bytes=limit) as spool:
            for expendable, size, acknowledged in steps:
                before = on_disk(directory)
                most = limit - limit // RESERVE_SHARE if expendable else limit
                record = SpoolRecord("run", b"x" * size)
                try:
                    spool.append(record, expendable=expendable)
                    assert on_disk(directory) <= most
                except SpoolFullError:
                    assert before == on_disk(directory) > most - size - 20
                assert spool.depth.bytes == on_disk(directory)
                spool.acknowledge(min(spool.end, spool.acknowledged + acknowledged))
            spool.acknowledge(spool.end)
            assert on_disk(directory) <= limit // 16 + 1000, "one segment is left"
            spool.append(SpoolRecord("run", b"x" * 900), expendable=True)

    with TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory)))


def entries_on(spool: Spool) -> Entries:
    transactions = TransactionBatches(MemoryStore(SystemClock()))
    return Entries(KEYS, transactions, spool, Planner(AT - AT, "worker", AT))


def execution() -> Execution:
    return Execution(
        execution_id="id.r1.1", job_id="id", job_name="job", namespace="default", job_version=1, trigger="request",
        due_at=AT, attempt=1, worker_id="worker", claimed_at=AT,
    )  # fmt: skip


Steps = list[tuple[Stream, str, int]]


@given(
    st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("aä€😀", min_size=1, max_size=300), st.integers(0, 5)),
        max_size=60,
    )
)
@settings(deadline=None, max_examples=60)
def test_what_does_not_fit_is_told_in_its_place_and_counted_to_the_byte(steps: Steps) -> None:
    """G9: chunks are numbered without gap, a line stands where output is missing, and no more is missing than told."""

    async def scenario(directory: Path) -> None:
        async with Spool(directory, SystemClock(), limit_bytes=6_000) as spool:
            written = RunOutput(execution(), OutputBound(1 << 20), entries_on(spool), WorkerMetrics(), Mask(()))
            kept: list[OutputChunk] = []

            def ship(most: int) -> None:
                for at, record in _all_of(spool)[:most]:
                    kept.append(decode_record(record.value))  # type: ignore[arg-type]
                    spool.acknowledge(at + 1)

            for stream, text, shipped in steps:
                written.take(Chunk(0, stream, AT, text))
                ship(shipped)
            written.end(AT)
            ship(1 << 20)
            assert [chunk.seq for chunk in kept] == list(range(written.chunks))
            told = 0
            for stream in ("stdout", "stderr"):
                whole = "".join(text for each, text, _ in steps if each == stream)
                stored = "".join(chunk.text for chunk in kept if chunk.stream == stream)
                told += _held_against(whole, stored)
            assert told == written.cut_bytes

    with TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory)))


def _held_against(whole: str, stored: str) -> int:
    """Go through what is stored; where a mark stands, skip as much of the whole; return how much that was."""
    encoded, at, told = whole.encode(), 0, 0
    pieces = MARK.split(stored)  # text, count, stream, text, …
    for index in range(0, len(pieces), 3):
        text = pieces[index].encode()
        assert encoded[at : at + len(text)] == text
        at += len(text)
        if index + 1 < len(pieces):
            at += int(pieces[index + 1])
            told += int(pieces[index + 1])
    assert at == len(encoded)
    return told


async def test_what_is_told_of_a_spool_as_it_fills_and_empties(tmp_path: Path) -> None:
    """G10: whoever looks at readiness, metrics or the registration sees it, and sees it go."""
    limit = 16 << 20
    readiness, metrics = Readiness(), WorkerMetrics()
    async with Spool(tmp_path, SystemClock(), limit_bytes=limit) as spool:
        state = SpoolState(spool, metrics, readiness)
        seen = []
        for expendable in (True, False):
            with suppress(SpoolFullError):
                while True:
                    spool.append(SpoolRecord("run", b"x" * (256 << 10)), expendable=expendable)
            state.look()
            seen.append((state.words.partition(",")[0], bool(readiness.missing), state.changed.is_set()))
            state.changed.clear()
        assert metrics.registry.get_sample_value("dcron_worker_spool_bytes") == on_disk(tmp_path) > limit - (256 << 10)
        spool.acknowledge(spool.end)
        state.look()
        seen.append((state.words, bool(readiness.missing), state.changed.is_set()))
    assert seen == [
        ("full: output is cut until Kafka takes more", False, True), ("full: output is cut", True, True),
        ("", False, True),
    ]  # fmt: skip


async def test_while_kafka_is_away_output_is_cut_with_a_mark_and_every_result_is_kept(tmp_path: Path) -> None:
    """G8, G10: a printer fills its share of the spool; it and the others end as if nothing were."""
    ports = Ports()
    noisy = on_request("noisy", "head -c 30000000 /dev/zero | tr '\\0' 'x'", limits={"output_bytes": 40_000_000})
    quiet = on_request("quiet", "echo a word", overlap="allow")
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, worker_spool_bytes=SMALL) as worker:
        noisy_entry, quiet_entry = await put_job(ports, noisy), await put_job(ports, quiet)
        ports.log.down = True
        await want_run(ports, noisy_entry)
        await _closed_in_etcd(ports, 1)
        assert on_disk(tmp_path / "spool") <= int(SMALL)
        for number in range(20):
            await want_run(ports, quiet_entry, f"r{number}")
        entries = await _closed_in_etcd(ports, 21)
        assert all(entry.finished and entry.finished.outcome == "succeeded" for entry in entries)
        await _registered_as(ports, worker, "full: output is cut until Kafka takes more")
        assert "dcron_worker_output_cut_bytes_total" in await _metrics(ports, worker)
        ports.log.down = False
        await nothing_left(ports)
        await _registered_as(ports, worker, "")
    (end,) = finished_of(ports, noisy_entry.job_id)
    chunks = [r for r in ports.records() if isinstance(r, OutputChunk) and r.job_id == noisy_entry.job_id]
    assert [chunk.seq for chunk in chunks] == list(range(end.output_chunks))
    text = "".join(chunk.text for chunk in chunks)
    told = sum(int(found[1]) for found in MARK.finditer(text))
    assert told == end.output_cut_bytes > 10_000_000
    assert MARK.sub("", text) == "x" * (30_000_000 - told)
    assert len(finished_of(ports, quiet_entry.job_id)) == 20


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
async def test_a_disk_that_takes_nothing_stops_no_run_and_results_go_by_their_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """G6, G8, G10: outcomes stand in etcd while the disk is full, and are in Kafka when it is not any more."""
    ports = Ports()
    full = False
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        if full and str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(str(tmp_path)):
            raise OSError(number, os.strerror(number))
        return real_write(descriptor, data)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "write", write)
    entry = await put_job(ports, on_request("job", "echo lost words; exit 3", overlap="allow"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path) as worker:
        await want_run(ports, entry, "r0")
        await ports.wait_for(ExecutionFinished, 1)
        full = True
        with monkeypatch.context() as patched:
            for method in ("unlink", "write_bytes", "write_text", "replace"):
                patched.setattr(Path, method, refuse)
            for run in range(1, 6):
                await want_run(ports, entry, f"r{run}")
            await _closed_in_etcd(ports, 5)
        closed = await _closed_in_etcd(ports, 5)
        assert {each.finished.exit_code for each in closed if each.finished} == {3}
        await _registered_as(ports, worker, f"cannot be written: [Errno {number}] {os.strerror(number)}")
        assert os.strerror(number) in await _get(ports, worker, "/readyz", 503)
        assert len(finished_of(ports, entry.job_id)) == 1
        full = False
        await nothing_left(ports)
        await _registered_as(ports, worker, "")
        await _get(ports, worker, "/readyz", 200)
    ends = sorted(finished_of(ports, entry.job_id), key=lambda end: end.execution.execution_id)
    assert [end.execution.execution_id for end in ends] == [f"id-of-job.r{n}.1" for n in range(6)]
    assert [end.output_cut_bytes for end in ends] == [0] + [11] * 5
    assert [end.output_chunks for end in ends] == [1] + [0] * 5


async def test_the_next_life_sends_what_the_disk_did_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G6, G8: the worker ends while its disk is full; the outcome in etcd is sent after its restart."""
    ports = Ports()
    entry = await put_job(ports, on_request("job", "exit 4"))
    with monkeypatch.context() as patched:
        async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, shutdown_timeout="10ms"):
            patched.setattr("dcron_worker.spool.write_whole", _no_space)
            await want_run(ports, entry)
            await _closed_in_etcd(ports, 1)
    assert finished_of(ports, entry.job_id) == []
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await ports.wait_for(ExecutionFinished)
        await nothing_left(ports)
    assert [end.exit_code for end in finished_of(ports, entry.job_id)] == [4]


async def test_what_is_held_is_bounded_and_ends_beyond_that_wait_with_their_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcron_worker.entries.MOST_HELD", 2)
    ports = Ports()
    entry = await put_job(ports, on_request("job", "true", overlap="allow"))
    with monkeypatch.context() as patched:
        patched.setattr("dcron_worker.spool.write_whole", _no_space)
        async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
            for number in range(5):
                await want_run(ports, entry, f"r{number}")
            await _closed_in_etcd(ports, 2)
            while (await ports.store.read_prefix(KEYS.runs)).items:
                await asyncio.sleep(0.01)
            items = (await ports.store.read_prefix(KEYS.all_active)).items
            assert len(items) == 3, "their liveness keys are there"
            patched.undo()
            await ports.wait_for(ExecutionFinished, 5)
            await nothing_left(ports)


async def test_what_could_not_be_taken_back_from_a_failing_disk_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G8: a frame was written in part, and the disk does not let it be cut off: the next one lies elsewhere."""
    real_write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(errno.EIO, "Input/output error")
        return real_write(descriptor, data[: len(data) // 2])

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with Spool(tmp_path, SystemClock()) as spool:
        spool.append(SpoolRecord("a", b"first"))
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", half)
            patched.setattr(os, "ftruncate", fail)
            with pytest.raises(SpoolError, match="Input/output error"):
                spool.append(SpoolRecord("b", b"second" * 10))
        assert spool.append(SpoolRecord("c", b"third")) == 1
        assert [record.key for _, record in _all_of(spool)] == ["a", "c"]
        assert spool.damaged_segments == 0
    async with Spool(tmp_path, SystemClock()) as spool:
        assert [record.key for _, record in _all_of(spool)] == ["a", "c"]


async def test_a_full_disk_gets_back_what_the_spool_itself_does_not_need_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G8: else the spool would wait for room that only it can give."""
    async with Spool(tmp_path, SystemClock()) as spool:
        end = spool.append(SpoolRecord("a", b"x" * 1000)) + 1
        spool.acknowledge(end)
        assert on_disk(tmp_path) > 1000, "the last segment stays, otherwise"
        with monkeypatch.context() as patched:
            patched.setattr("dcron_worker.spool.write_whole", _no_space)
            with pytest.raises(SpoolError, match="No space left"):
                spool.append(SpoolRecord("b", b""))
        assert on_disk(tmp_path) == 0
        assert spool.append(SpoolRecord("b", b"")) == end


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    directory = tmp_path / "small"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "dcron-test", str(directory)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


async def test_a_real_disk_that_is_full_and_well_again(small_disk: Path) -> None:
    """G8, G10: as root, on a small file system: no run fails, no result is lost, and it heals without a hand."""
    ports = Ports()
    entry = await put_job(ports, on_request("job", "echo words; head -c 3000000 /dev/zero | tr '\\0' x; echo end"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(small_disk) as worker:
        ports.log.down = True
        await want_run(ports, entry, "r0")  # fills it
        await _closed_in_etcd(ports, 1)
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * (3 << 20))
        await want_run(ports, entry, "r1")
        await _closed_in_etcd(ports, 2)
        await _registered_as(ports, worker, "No space left on device")
        filler.unlink()
        ports.log.down = False
        await ports.wait_for(ExecutionFinished, 2)
        await nothing_left(ports)
    ends = finished_of(ports, entry.job_id)
    assert [end.outcome for end in ends] == ["succeeded"] * 2
    assert ends[0].output_cut_bytes > 500_000


def _all_of(spool: Spool) -> list[tuple[int, SpoolRecord]]:
    found: list[tuple[int, SpoolRecord]] = []
    while records := spool.read(found[-1][0] + 1 if found else spool.acknowledged, 1 << 20):
        found += records
    return found


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def _closed_in_etcd(ports: Ports, count: int) -> list[ExecutionEntry]:
    """Wait until that many entries carry their outcome; return them."""
    while True:
        items = (await ports.store.read_prefix(KEYS.executions)).items
        closed = [entry for item in items if (entry := decode_state(ExecutionEntry, item.value)).finished]
        if len(closed) >= count:
            return closed
        await asyncio.sleep(0.01)


async def _registered_as(ports: Ports, worker: Worker, spool: str) -> None:
    """Wait until the worker's registration says so of its spool."""
    while True:
        (item,) = (await ports.store.read_prefix(KEYS.worker(worker.worker_id))).items
        said = decode_state(WorkerEntry, item.value).spool
        if said.endswith(spool) if spool else not said:
            return
        await asyncio.sleep(0.01)


async def _metrics(ports: Ports, worker: Worker) -> str:
    return await _get(ports, worker, "/metrics", 200)


async def _get(ports: Ports, worker: Worker, path: str, status: int) -> str:
    async with ports.client(worker.port) as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text
