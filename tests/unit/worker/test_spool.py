"""The spool: nothing that was appended is lost or reordered (G8)."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.clock import SystemClock
from dcron_worker.errors import SpoolError, SpoolInUseError
from dcron_worker.spool import Spool
from dcron_worker.spool_segment import MOST_VALUE_BYTES, SpoolRecord, encode_frame, find_segments

RECORDS = [SpoolRecord(f"job.t{n}.1", b"value %d" % n * n, closes=n % 3 == 0) for n in range(12)]


def open_spool(directory: Path, segment_bytes: int = 8 << 20) -> Spool:
    return Spool(directory, SystemClock(), segment_bytes)


def read_all(spool: Spool, position: int = 0, limit_bytes: int = 100) -> list[tuple[int, SpoolRecord]]:
    found: list[tuple[int, SpoolRecord]] = []
    while records := spool.read(position, limit_bytes):
        found += records
        position = records[-1][0] + 1
    return found


async def test_records_come_back_in_order_at_their_positions_over_segments_and_a_restart(tmp_path: Path) -> None:
    async with open_spool(tmp_path, segment_bytes=100) as spool:
        assert [spool.append(record) for record in RECORDS[:6]] == [0, 1, 2, 3, 4, 5]
        assert spool.append_all(RECORDS[6:]) == 6
        assert read_all(spool) == list(enumerate(RECORDS))
        assert len(find_segments(tmp_path)) > 2
    async with open_spool(tmp_path, segment_bytes=100) as spool:
        assert read_all(spool) == list(enumerate(RECORDS))
        assert spool.append(RECORDS[0]) == len(RECORDS)
        assert read_all(spool, 11) == [(11, RECORDS[11]), (12, RECORDS[0])]
        assert spool.depth.records == 13


@given(
    st.lists(st.builds(SpoolRecord, st.text(max_size=20), st.binary(max_size=300), st.booleans()), max_size=20),
    st.integers(1, 500),
    st.integers(1, 500),
)
@settings(deadline=None, max_examples=60)
def test_any_record_comes_back_whatever_the_sizes(
    records: list[SpoolRecord], segment_bytes: int, limit_bytes: int
) -> None:
    async def round_trip(directory: Path) -> None:
        async with open_spool(directory, segment_bytes) as spool:
            for record in records:
                spool.append(record)
            assert read_all(spool, 0, limit_bytes) == list(enumerate(records))
            for position in range(len(records)):
                assert spool.read(position, 1)[0] == (position, records[position])

    with TemporaryDirectory() as directory:
        asyncio.run(round_trip(Path(directory)))


async def test_a_last_frame_torn_at_any_byte_is_cut_off_and_all_before_it_stay(tmp_path: Path) -> None:
    whole = b"".join(map(encode_frame, RECORDS))
    last = len(encode_frame(RECORDS[-1]))
    for kept in range(last):
        for padding in (b"", b"\0" * 64):  # a power cut can leave zeros where blocks were never written
            directory = tmp_path / f"{kept}-{len(padding)}"
            directory.mkdir()
            segment = directory / "00000000000000000000.segment"
            segment.write_bytes(whole[: len(whole) - last + kept] + padding)
            async with open_spool(directory) as spool:
                assert read_all(spool) == list(enumerate(RECORDS[:-1])), (kept, padding)
                assert spool.append(RECORDS[-1]) == len(RECORDS) - 1
                assert read_all(spool) == list(enumerate(RECORDS))
                assert spool.damaged_segments == 0


async def test_damage_in_the_middle_costs_the_rest_of_that_segment_only(tmp_path: Path) -> None:
    async with open_spool(tmp_path, segment_bytes=200) as spool:
        for record in RECORDS:
            spool.append(record)
    first, second, *_ = find_segments(tmp_path)
    content = bytearray(first.path.read_bytes())
    content[len(encode_frame(RECORDS[0])) + 12] ^= 0xFF  # in the second record
    first.path.write_bytes(content)
    async with open_spool(tmp_path, segment_bytes=200) as spool:
        expected = [(0, RECORDS[0]), *list(enumerate(RECORDS))[second.first :]]
        assert read_all(spool) == expected
        assert read_all(spool) == expected
        assert spool.damaged_segments == 1
        spool.acknowledge(spool.end)
        assert not first.path.exists()


async def test_damage_in_the_middle_of_the_last_segment_is_kept_and_new_records_are_readable(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        spool.append_all(RECORDS)
    (segment,) = find_segments(tmp_path)
    content = bytearray(segment.path.read_bytes())
    content[len(encode_frame(RECORDS[0])) + 12] ^= 0xFF
    segment.path.write_bytes(content)
    async with open_spool(tmp_path) as spool:
        position = spool.append(RECORDS[5])
        assert position > 1
        assert read_all(spool) == [(0, RECORDS[0]), (position, RECORDS[5])]
        assert spool.damaged_segments == 1
    assert segment.path.read_bytes() == content


async def test_acknowledged_segments_are_deleted_and_the_position_survives_a_restart(tmp_path: Path) -> None:
    async with open_spool(tmp_path, segment_bytes=100) as spool:
        spool.append_all(RECORDS[:4])
        for record in RECORDS[4:]:
            spool.append(record)
        before = len(find_segments(tmp_path))
        spool.acknowledge(10)
        assert len(find_segments(tmp_path)) < before
        assert spool.depth.records == 2
    async with open_spool(tmp_path, segment_bytes=100) as spool:
        assert spool.acknowledged == 10
        assert read_all(spool, spool.acknowledged) == [(10, RECORDS[10]), (11, RECORDS[11])]
        spool.acknowledge(12)
    async with open_spool(tmp_path) as spool:
        assert (spool.acknowledged, spool.end) == (12, 12)


async def test_acknowledging_what_was_never_appended_is_refused(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        with pytest.raises(ValueError, match="after the spool's end 0"):
            spool.acknowledge(1)


async def test_a_position_is_not_given_twice_when_a_power_cut_took_acknowledged_records(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        spool.append_all(RECORDS)
        spool.acknowledge(12)
    (segment,) = find_segments(tmp_path)
    os.truncate(segment.path, len(encode_frame(RECORDS[0])))
    async with open_spool(tmp_path) as spool:
        assert spool.append(RECORDS[1]) == 12
        assert read_all(spool, spool.acknowledged) == [(12, RECORDS[1])]


async def test_an_unreadable_acknowledgement_file_costs_only_sending_again(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        spool.append_all(RECORDS)
        spool.acknowledge(5)
    (tmp_path / "acknowledged").write_bytes(b"")
    async with open_spool(tmp_path) as spool:
        assert spool.acknowledged == 0
        assert read_all(spool) == list(enumerate(RECORDS))


async def test_a_second_process_gets_an_error_that_names_directory_and_remedy(tmp_path: Path) -> None:
    async with open_spool(tmp_path):
        with pytest.raises(SpoolInUseError, match=rf"{tmp_path}.*DCRON_WORKER_DATA"):
            open_spool(tmp_path)
    await open_spool(tmp_path).close()


async def test_a_record_that_kafka_would_refuse_is_refused_before_others_wait_for_it(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        with pytest.raises(ValueError, match="'run' has 524289 bytes; the most is 524288"):
            spool.append(SpoolRecord("run", b"x" * (MOST_VALUE_BYTES + 1)))
        with pytest.raises(ValueError, match="has 70000 bytes"):
            spool.append(SpoolRecord("k" * 70_000, b""))
        assert spool.depth.records == 0


async def test_a_full_disk_is_an_error_and_leaves_no_half_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    calls = 0

    def short_write(descriptor: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data[:7])

    async with open_spool(tmp_path) as spool:
        spool.append(RECORDS[4])
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", short_write)
            with pytest.raises(SpoolError, match="No space left"):
                spool.append(RECORDS[5])
        assert spool.append(RECORDS[6]) == 1
        assert read_all(spool) == [(0, RECORDS[4]), (1, RECORDS[6])]


async def test_callers_of_sync_share_the_disk_and_each_returns_after_its_own_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real_sync = os.fdatasync

    def counted_sync(descriptor: int) -> None:
        real_sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fdatasync", counted_sync)
    async with open_spool(tmp_path) as spool:

        async def append_and_sync(record: SpoolRecord) -> None:
            spool.append(record)
            size = find_segments(tmp_path)[-1].size
            await spool.sync()
            assert max(synced) >= size

        await asyncio.gather(*(append_and_sync(record) for record in RECORDS * 10))
        assert len(synced) < 10
        count = len(synced)
        await spool.sync()
        assert len(synced) == count, "nothing new: nothing to do"


async def test_sync_reaches_segments_that_were_rolled_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))
    async with open_spool(tmp_path, segment_bytes=100) as spool:
        spool.append(RECORDS[1])
        await spool.sync()
        synced.clear()
        for record in RECORDS:
            spool.append(record)
        await spool.sync()
        assert synced == {segment.path.stat().st_ino for segment in find_segments(tmp_path)}


async def test_a_failed_sync_is_never_taken_for_a_success_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_sync(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with open_spool(tmp_path) as spool:
        spool.append(RECORDS[0])
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", failing_sync)
            with pytest.raises(SpoolError, match="Input/output error"):
                await spool.sync()
        with pytest.raises(SpoolError, match="Input/output error"):
            await spool.sync()


_APPENDER = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from dcron_core.clock import SystemClock
from dcron_worker.spool import Spool
from dcron_worker.spool_segment import SpoolRecord

spool = Spool(Path(sys.argv[1]), SystemClock(), 20_000)
number = 0
while True:
    position = spool.append(SpoolRecord(f"key {number}", b"x" * (number % 500)))
    sys.stdout.write(f"{position} {number}\\n")
    sys.stdout.flush()
    number += 1
"""


async def test_what_append_returned_for_survives_sigkill(tmp_path: Path) -> None:
    """G8: the worker can die at any instant; what it had appended is there when it comes back."""
    with subprocess.Popen([sys.executable, "-c", _APPENDER, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(2000)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines(keepends=True)
    told = [line.split() for line in lines if line.endswith(b"\n")]
    async with open_spool(tmp_path) as spool:
        found = {position: record.key for position, record in read_all(spool, 0, 1 << 16)}
        for position, number in told:
            assert found[int(position)] == f"key {int(number)}"
        assert spool.damaged_segments == 0


class PowerCut:
    """What a power cut leaves of a spool: of each file all that was synced, and anything of the rest."""

    def __init__(self, directory: Path, data: st.DataObject) -> None:
        self._directory = directory
        self._data = data
        self._synced: dict[Path, int] = {}

    def synced(self) -> None:
        """All that is there now would survive."""
        self._synced = {segment.path: segment.size for segment in find_segments(self._directory)}

    def strike(self) -> None:
        for segment in find_segments(self._directory):
            safe = self._synced.get(segment.path, 0)
            kept = self._data.draw(st.integers(safe, segment.size), label=f"kept of {segment.first}")
            what = self._data.draw(st.sampled_from(["intact", "cut", "zeros", "garbage", "gone"]))
            content = segment.path.read_bytes()
            match what:
                case "gone" if segment.path not in self._synced:
                    segment.path.unlink()
                case "cut":
                    segment.path.write_bytes(content[:kept])
                case "zeros":
                    segment.path.write_bytes(content[:kept] + bytes(segment.size - kept))
                case "garbage":
                    rest = self._data.draw(st.binary(max_size=segment.size - kept))
                    segment.path.write_bytes(content[:kept] + rest)
        if self._data.draw(st.booleans(), label="the acknowledged position is damaged"):
            (self._directory / "acknowledged").write_bytes(
                self._data.draw(st.sampled_from([b"", b"x", b"\0\0", b"0\n"]))
            )


@given(st.lists(st.sampled_from([*RECORDS, "sync", "acknowledge"]), max_size=40), st.integers(40, 400), st.data())
@settings(deadline=None, max_examples=150)
def test_a_power_cut_takes_nothing_that_was_synced_and_forges_nothing(
    steps: list[SpoolRecord | str], segment_bytes: int, data: st.DataObject
) -> None:
    """G8: whatever became of the tail of any file: what was synced is read, in order, and what is read was written."""

    async def scenario(directory: Path) -> None:
        cut = PowerCut(directory, data)
        written: list[SpoolRecord] = []
        durable = 0
        async with open_spool(directory, segment_bytes) as spool:
            for step in steps:
                if isinstance(step, SpoolRecord):
                    written.append(step)
                    spool.append(step)
                elif step == "sync":
                    await spool.sync()
                    cut.synced()
                    durable = len(written)
                else:
                    spool.acknowledge(len(written) // 2)
            acknowledged = spool.acknowledged
        cut.strike()
        async with open_spool(directory, segment_bytes) as spool:
            found = read_all(spool, spool.acknowledged)
            assert found == [(position, written[position]) for position, _ in found]
            positions = [position for position, _ in found]
            assert positions == sorted(set(positions))
            assert set(positions) >= set(range(acknowledged, durable))
            new = spool.append(RECORDS[1])
            assert new >= max([spool.acknowledged, *(position + 1 for position in positions)])
            assert read_all(spool, spool.acknowledged) == [*found, (new, RECORDS[1])]

    with TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory)))


async def test_the_last_segment_cut_at_every_byte_gives_back_every_whole_record(tmp_path: Path) -> None:
    """G8: SIGKILL in the middle of a write, wherever that was."""
    frames = [encode_frame(record) for record in RECORDS]
    whole = b"".join(frames)
    ends = [sum(map(len, frames[: count + 1])) for count in range(len(frames))]
    for kept in range(len(whole) + 1):
        (tmp_path / "00000000000000000000.segment").write_bytes(whole[:kept])
        async with open_spool(tmp_path) as spool:
            assert read_all(spool) == list(enumerate(RECORDS[: sum(end <= kept for end in ends)]))
            assert spool.damaged_segments == 0
