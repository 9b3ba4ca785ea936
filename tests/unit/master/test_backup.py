"""Export and import of the log: it comes back exactly, and whatever is not whole or not its own is refused."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.errors import DcronError, LogMismatchError, LogUnavailableError
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Topic
from dcron_master.backup import Imported, ImportRefusedError, export, import_file
from dcron_master.log_file import DamagedFileError, check_file
from dcron_schemas.codec import encode
from dcron_schemas.state import Projection
from tests.services import JOB_EVENTS
from tests.unit.master.test_projector import OPENING, STORY

Content = list[tuple[str, bytes]]
CONTENT: Content = [(each.job_id, encode(each)) for each in (OPENING, *STORY)] + [("x", b"\xff junk")]


async def log_of(content: Sequence[tuple[str, bytes]], kind: type[MemoryLog] = MemoryLog) -> MemoryLog:
    log = kind(SystemClock())
    await log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    for key, value in content:
        log.append(JOB_EVENTS, key, value, ())
    return log


def content_of(log: MemoryLog) -> Content:
    return [(record.key, record.value) for record in log.partitions(JOB_EVENTS)[0].read(0, 10_000)]


async def exported(log: MemoryLog) -> bytes:
    parts: list[bytes] = []
    await export(JobLog(log, JOB_EVENTS), parts.append)
    return b"".join(parts)


async def brought_back(path: Path, log: MemoryLog, projection: Projection | None = None) -> Imported:
    return await import_file(check_file(path), log, JOB_EVENTS, projection)


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_bytes(await exported(await log_of(CONTENT)))
    return path


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=20), st.binary(max_size=50)), max_size=20))
async def test_keys_values_and_offsets_come_back_exactly(more: Content) -> None:
    content = [CONTENT[0], *more]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "log.jsonl"
        path.write_bytes(await exported(await log_of(content)))
        log = await log_of([])
        done = await brought_back(path, log)
    assert (done.appended, done.before, done.beyond) == (len(content), 0, 0)
    assert content_of(log) == content


async def test_two_exports_of_one_log_are_the_same_bytes() -> None:
    log = await log_of(CONTENT)
    assert await exported(log) == await exported(log)


async def test_a_file_cut_off_anywhere_is_refused(backup: Path) -> None:
    """After each line, and at every byte of the footer."""
    whole = backup.read_bytes()
    lines = whole.splitlines(keepends=True)
    footer_from = len(whole) - len(lines[-1])
    cuts = [sum(map(len, lines[:n])) for n in range(len(lines))] + list(range(footer_from, len(whole)))
    for cut in cuts:
        backup.write_bytes(whole[:cut])
        with pytest.raises(DamagedFileError, match=r"was cut off"):
            check_file(backup)
    backup.write_bytes(whole)
    assert check_file(backup).count == len(CONTENT)


async def test_a_file_with_any_byte_changed_is_refused(backup: Path) -> None:
    whole = backup.read_bytes()
    for position in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        backup.write_bytes(changed)
        with pytest.raises(DamagedFileError):
            check_file(backup)


def resealed(lines: list[bytes]) -> bytes:
    """A file whose footer is right for the lines that it has."""
    body = b"".join(lines[:-1])
    count = sum(b'"line":"record"' in line for line in lines)
    return body + b'{"line":"footer","count":%d,"sha256":"%s"}\n' % (count, sha256(body).hexdigest().encode())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:3] + lines[4:], "line 4.*offset 2"),  # a record is left out
        (lambda lines: lines[:3] + lines[2:], "line 4.*offset 2"),  # one stands there twice
        (lambda lines: lines[:3] + lines[:1] + lines[3:], "does not belong here"),
        (lambda lines: [*lines[1:]], "does not belong here"),
        (lambda lines: [lines[0].replace(b'"format":1', b'"format":2'), *lines[1:]], "format 2"),
        (lambda lines: [lines[0], lines[1].replace(b'"value":', b'"nothing":'), *lines[2:]], "with one value"),
    ],
)
async def test_a_file_that_is_no_log_in_order_is_refused_whatever_its_digest_says(
    backup: Path, change: Callable[[list[bytes]], list[bytes]], says: str
) -> None:
    backup.write_bytes(resealed(change(backup.read_bytes().splitlines(keepends=True))))
    with pytest.raises(DamagedFileError, match=says):
        check_file(backup)


async def test_lines_after_the_footer_are_refused(backup: Path) -> None:
    whole = backup.read_bytes()
    backup.write_bytes(whole + whole.splitlines(keepends=True)[-1])
    with pytest.raises(DamagedFileError, match="does not belong here"):
        check_file(backup)


@pytest.mark.parametrize("held", [1, 5, len(CONTENT) - 1])
async def test_an_import_goes_on_where_an_earlier_one_stopped(backup: Path, held: int) -> None:
    log = await log_of(CONTENT[:held])
    done = await brought_back(backup, log)
    assert (done.appended, done.before) == (len(CONTENT) - held, held)
    assert content_of(log) == CONTENT
    again = await brought_back(backup, log)
    assert (again.appended, again.before) == (0, len(CONTENT))


async def test_a_topic_that_has_grown_since_the_backup_is_left_as_it_is(backup: Path) -> None:
    log = await log_of([*CONTENT, ("y", b"later")])
    done = await brought_back(backup, log)
    assert (done.appended, done.beyond) == (0, 1)
    assert content_of(log)[-1] == ("y", b"later")


@pytest.mark.parametrize(
    "held",
    [[("", b"other")], [*CONTENT[:3], ("x", b"other")], [*CONTENT[:3], ("other", CONTENT[3][1])]],
)
async def test_a_topic_that_holds_something_else_is_refused_and_left_alone(backup: Path, held: Content) -> None:
    log = await log_of(held)
    with pytest.raises(ImportRefusedError, match=r"holds something else already: at offset \d.*Stop the masters"):
        await brought_back(backup, log)
    assert content_of(log) == held


async def test_the_log_of_another_etcd_is_refused(backup: Path) -> None:
    log = await log_of([])
    with pytest.raises(ImportRefusedError, match=r"log-1.*of log log-2.*DCRON_ETCD"):
        await brought_back(backup, log, Projection(position=3, log_id="log-2"))
    assert content_of(log) == []
    await brought_back(backup, log, Projection(position=3, log_id="log-1"))


async def test_a_file_of_records_that_are_no_log_of_dcron_is_refused(backup: Path) -> None:
    lines = backup.read_bytes().splitlines(keepends=True)
    backup.write_bytes(resealed([lines[0].replace(b"log-1", b"log-9"), *lines[1:]]))
    with pytest.raises(ImportRefusedError, match="does not begin with the opening of log 'log-9'"):
        await brought_back(backup, await log_of([]))


class FailingLog(MemoryLog):
    """Stops answering after five records."""

    failing = True

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        if self.failing and self.partitions(topic)[0].bounds.end >= 5:
            raise LogUnavailableError("no answer")
        return super().append(topic, key, value, headers)


async def test_an_import_that_breaks_off_says_that_it_can_be_repeated(backup: Path) -> None:
    log = await log_of([], FailingLog)
    assert isinstance(log, FailingLog)
    with pytest.raises(LogUnavailableError, match="Repeat the import: it goes on from there"):
        await brought_back(backup, log)
    log.failing = False
    assert (await brought_back(backup, log)).before == 5
    assert content_of(log) == CONTENT


class RivalLog(MemoryLog):
    """A master writes to it at the same time."""

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        if self.partitions(topic)[0].bounds.end == 3:
            super().append(topic, "", encode(OPENING), ())
        return super().append(topic, key, value, headers)


async def test_another_writer_during_the_import_is_noticed(backup: Path) -> None:
    with pytest.raises(ImportRefusedError, match=r"somebody else wrote.*offset 4 in place of 3.*Stop the masters"):
        await brought_back(backup, await log_of([], RivalLog))


class LossyLog(MemoryLog):
    """Takes the last record in as another one."""

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        return super().append(topic, key, value.replace(b"junk", b"jink"), headers)


async def test_what_was_brought_back_is_read_again_and_compared(backup: Path) -> None:
    with pytest.raises(ImportRefusedError, match=f"did not take the file in as it is: at offset {len(CONTENT) - 1}"):
        await brought_back(backup, await log_of([], LossyLog))


@pytest.mark.parametrize(
    ("content", "says"), [([], "is empty"), ([("", b"junk")], "is not an event"), (CONTENT[1:], "not LogOpened")]
)
async def test_what_is_no_log_is_not_exported(content: Content, says: str) -> None:
    with pytest.raises(LogMismatchError, match=says):
        await exported(await log_of(content))


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DcronError, match="cannot be read"):
        check_file(tmp_path / "none")
