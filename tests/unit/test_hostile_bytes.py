"""Whatever bytes come from outside, each decoder answers with its own error, or with something that is well-formed:
never with another exception, and in bounded time (G8, G11, G12).

Each one gets bytes of chance, and what it should get with some bytes replaced, left out or doubled: that comes deeper.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcron_core.access.access_tokens import AccessTokenMaker, AccessTokens
from dcron_core.access.fixed_tokens import BOOTSTRAP
from dcron_core.access.sealing import Sealer
from dcron_core.access.signing import Signatures, taken_apart
from dcron_core.clock import SystemClock
from dcron_core.errors import DcronError, InvalidJobError, SealError
from dcron_core.jobs.heads import check_signature, signed
from dcron_core.jobs.validation import parse_draft, parse_job, parse_patch
from dcron_core.ports.log import Record
from dcron_core.schedule.expression import parse_expression
from dcron_core.selectors import parse_selector
from dcron_log_ingester.admission import read_record
from dcron_log_ingester.cursors import cursor_text, parse_cursor
from dcron_log_ingester.dead_letters import letter_document, mark_of
from dcron_log_ingester.errors import BadRecordError
from dcron_master.log_file import DamagedFileError, LogFileWriter, check_file
from dcron_schemas.api import Problem
from dcron_schemas.audit import ChainHead
from dcron_schemas.codec import UndecodableError, decode_event, decode_record, decode_state, encode
from dcron_schemas.identity import SecretEntry
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.state import JobEntry, Projection, RunWanted, WorkerEntry
from dcron_standalone.archive_commands import read_head
from dcron_standalone.job_files import JobFileError, definition_text, read_jobs

NOW = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
KEY, CLUSTER_KEY = "11" * 32, "22" * 32
GOLDEN = Path(__file__).parents[2] / "schemas" / "golden"
JOB = JobSpec(name="hello", run=Run(shell="echo $HOME"), schedule=Schedule(cron="*/5 * * * MON-FRI"))
ENTRY = JobEntry(
    job_id="0198f5a0-1111-7000-8000-000000000001",
    version=3,
    spec=JOB,
    anchor=NOW,
    position=7,
    created_at=NOW,
    updated_at=NOW,
    updated_by="ada",
)
HEAD = signed(ChainHead(log_id="l", position=4, hash="ab" * 32, at=NOW), KEY)
SIGNATURES = Signatures(KEY, "", CLUSTER_KEY)
SEALER = Sealer(CLUSTER_KEY)
MAKER = AccessTokenMaker(KEY, SystemClock())
TOKENS = AccessTokens([MAKER.public_key], SystemClock())


def lines(file: str) -> list[bytes]:
    return [line for version in sorted(GOLDEN.iterdir()) if (version / file).exists()
            for line in (version / file).read_bytes().splitlines()[:40]]  # fmt: skip


def text(decode: Callable[[str], object]) -> Callable[[bytes], object]:
    """A decoder of text, as a header or a query brings it."""
    return lambda value: decode(value.decode("utf-8", "replace"))


def of_state(kind: type[Any]) -> Callable[[bytes], object]:
    return lambda value: decode_state(kind, value)


def record(value: bytes) -> Record:
    return Record(
        "cron.executions", 0, 0, "k", value, NOW, (("tries", value[:9]), ("replayed-at", value), ("at", value))
    )


def head_of(value: bytes) -> None:
    """A head that somebody hands in, as `dcron audit verify --head` reads it."""
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(value)
        check_signature(read_head(Path(file.name)))


def token_of(value: str) -> None:
    """Who does not say what the token that was made says is nobody. (Base64 has several texts for one signature.)"""
    found = TOKENS.verified(value)
    assert isinstance(found, Problem) or value.rpartition(".")[0] == TOKEN.rpartition(".")[0]


def trusted(value: bytes) -> None:
    """What is not what was signed is refused."""
    apart = taken_apart(value)
    refusal = SIGNATURES.refusal("jobs/x", apart.proof)
    assert apart.rest == taken_apart(SIGNED).rest if refusal is None else value != SIGNED


def opened(value: str) -> None:
    assert SEALER.open("payroll", "PASSWORD", value) == "hunter2"


TOKEN = MAKER.make(BOOTSTRAP).token
SIGNED = SIGNATURES.signed("jobs/x", encode(ENTRY))
SEALED = SEALER.seal("payroll", "PASSWORD", "hunter2")

# What is decoded → by what, which errors it has, and some of what it should get.
DECODERS: dict[str, tuple[Callable[[bytes], object], tuple[type[Exception], ...], list[bytes]]] = {
    "job event": (decode_event, (UndecodableError,), lines("job-events.jsonl")),
    "execution record": (decode_record, (UndecodableError,), lines("executions.jsonl")),
    "record of the log": (lambda value: read_record(record(value)), (BadRecordError,), lines("executions.jsonl")),
    "dead letter": (lambda value: letter_document(record(value)), (), [b"3", b"2026-03-29T01:00:00Z"]),
    "mark of a replay": (lambda value: mark_of(record(value)), (), [b"2026-03-29T01:00:00Z"]),
    "job in etcd": (of_state(JobEntry), (UndecodableError,), [encode(ENTRY), SIGNED]),
    "position in etcd": (of_state(Projection), (UndecodableError,), [b'{"position":3,"log_id":"x"}']),
    "run wanted in etcd": (of_state(RunWanted), (UndecodableError,), [b'{"execution_id":"e","job_id":"j"}']),
    "worker in etcd": (of_state(WorkerEntry), (UndecodableError,), [b'{"worker_id":"w","host":"h","pid":1}']),
    "secret in etcd": (of_state(SecretEntry), (UndecodableError,), [b'{"namespace":"n","name":"N"}']),
    "signed value": (trusted, (), [SIGNED]),
    "sealed secret": (text(opened), (SealError,), [SEALED.encode()]),
    "access token": (text(token_of), (), [TOKEN.encode()]),
    "definition": (parse_job, (InvalidJobError,), [encode(JOB)]),
    "draft": (parse_draft, (InvalidJobError,), [encode(JOB)]),
    "patch": (parse_patch, (InvalidJobError,), [b'{"schedule":{"cron":"0 0 * * *"},"env":{"A":null}}']),
    "cron expression": (text(parse_expression), (ValueError,), [b"*/5 1-3 L * MON#2", b"H 0 LW JAN,MAR ?", b"@daily"]),
    "label selector": (text(parse_selector), (ValueError,), [b"zone in (a, b), !spot, disk=ssd"]),
    "page cursor": (
        text(parse_cursor),
        (ValueError,),
        [cursor_text(parse_cursor("WyIyMDI2LTAzLTI5VDAxOjAwOjAwWiIsImUiXQ")).encode()],
    ),
    "head of the chain": (head_of, (DcronError,), [msgspec.json.encode(HEAD)]),
}


@st.composite
def hostile(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Bytes of chance, or some that were right until a few were replaced, left out or doubled."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=200))
    value = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(value)))
        end = min(len(value), begin + draw(st.integers(0, 12)))
        piece = draw(st.one_of(st.binary(max_size=6), st.just(bytes(value[begin:end]) * 2), st.sampled_from(NASTY)))
        value[begin:end] = piece
    return bytes(value)


NASTY = [b"\x00", b"\xff", b"9" * 30, b"-1", b"null", b"{}", b"[]", b'"', b"\\u0000", b"\\ud800", b"1e999", b"+14:00"]


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=150, deadline=timedelta(seconds=2), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_decoder_has_no_error_but_its_own(name: str, data: st.DataObject) -> None:
    decode, errors, seeds = DECODERS[name]
    with suppress(*errors):
        decode(data.draw(hostile(seeds)))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(
    "value",
    [b"", b"[" * 100_000, b'{"a":' * 50_000, b'"' + b"x" * 1_000_000, b"9" * 100_000, b"(" * 50_000, b"," * 50_000],
)
def test_a_decoder_bears_what_is_deep_or_long(name: str, value: bytes) -> None:
    decode, errors, _ = DECODERS[name]
    with suppress(*errors):
        decode(value)


def test_an_export_of_a_log_that_was_damaged_anywhere_is_refused(tmp_path: Path) -> None:
    written = bytearray()
    writer = LogFileWriter(written.extend)
    writer.begin("log", "cron.job-events")
    for offset in range(3):
        writer.add(Record("cron.job-events", 0, offset, "k", b"{}", NOW))
    writer.end()
    file = tmp_path / "log.jsonl"
    file.write_bytes(written)
    check_file(file)
    for place in range(len(written)):
        for damaged in (
            written[:place],
            written[:place] + b"\xff" + written[place + 1 :],
            written[:place] + b"7" + written[place:],
        ):
            if damaged != written:
                file.write_bytes(damaged)
                with pytest.raises(DamagedFileError):
                    check_file(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=hostile([definition_text(JOB).encode(), b"- &a [*a]\n", b"name: !!python/object:os.system\n"]))
def test_a_file_of_jobs_is_read_or_refused(tmp_path: Path, value: bytes) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_bytes(value)
    with suppress(JobFileError):
        read_jobs(str(file))
