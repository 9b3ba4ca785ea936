"""What became of runs, read by hand from every revision of etcd and every record of Kafka; and which ticks there were.

Shares no code with the product: keys and values are taken apart as `docs/architecture.md` describes them, and the
ticks of the few schedules that the simulation uses are counted out.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOSING = ("ExecutionFinished", "ExecutionLost", "TickSkipped")


class Write(NamedTuple):
    """A key as some revision wrote it."""

    at_s: float
    revision: int
    key: str  # without the prefix of all keys
    value: bytes | None  # None: it is gone


class Window(NamedTuple):
    """A span in which a job had one timetable, and the ticks in it that had to be taken."""

    spec: dict[str, Any]
    ticks: list[datetime]


class Skip(NamedTuple):
    """Ticks of one record that did not run."""

    execution_id: str
    first: datetime
    last: datetime
    many: int  # 0: more than were counted
    reason: str


@dataclass
class NaiveLedger:
    """Everything that the validators ask about."""

    windows: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))  # by job
    versions: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)  # (job, version) → its definition
    defined_s: dict[str, float] = field(default_factory=dict)  # job → when it came into the store
    openings: dict[str, list[Write]] = field(default_factory=lambda: defaultdict(list))  # execution → claims
    wanted: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))  # execution → runs/
    fallen: list[str] = field(default_factory=list)  # cursors that did, or stood still beside a run
    finished: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    skips: dict[str, dict[str, Skip]] = field(default_factory=lambda: defaultdict(dict))  # job → execution → skip
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)  # every run or skip that has a record
    tokens: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # execution → fencing tokens

    def closed(self, execution_id: str) -> bool:
        """Tell whether there is a closing record of it."""
        job_id = execution_id.partition(".")[0]
        return execution_id in self.finished or execution_id in self.lost or execution_id in self.skips[job_id]

    def spec_of(self, job_id: str) -> dict[str, Any]:
        """Return the first definition of a job."""
        return self.versions[job_id, 1]


def ledger_of(writes: Iterable[Write], records: Iterable[bytes]) -> NaiveLedger:
    """Read everything."""
    ledger = NaiveLedger()
    _read_writes(ledger, writes)
    for record in records:
        _read_record(ledger, json.loads(record))
    return ledger


def tick_id(job_id: str, tick: datetime, attempt: int = 1) -> str:
    return f"{job_id}.t{(tick - EPOCH) // timedelta(milliseconds=1)}.{attempt}"


def attempt_of(execution_id: str) -> tuple[str, int]:
    """Return the run that it is an attempt of, and which one."""
    run, _, attempt = execution_id.rpartition(".")
    return run, int(attempt)


class _Job:
    """A job while the revisions are gone through."""

    def __init__(self) -> None:
        self.cursor = EPOCH
        self.spec: dict[str, Any] | None = None  # with its anchor; None: it has no ticks at the moment
        self.anchor = EPOCH
        self.after = EPOCH  # what was consumed before the window began is not the window's


def _read_writes(ledger: NaiveLedger, writes: Iterable[Write]) -> None:
    jobs: defaultdict[str, _Job] = defaultdict(_Job)
    standing: set[str] = set()
    writes = list(writes)
    beside = {(write.revision, job_id) for write in writes if (job_id := _job_of_entry(write.key))}
    for write in writes:
        kind, _, name = write.key.partition("/")
        is_new = write.key not in standing
        (standing.discard if write.value is None else standing.add)(write.key)
        value = None if write.value is None else json.loads(write.value)
        if kind == "jobs":
            if value is not None:
                ledger.versions[name, value["version"]] = value["spec"]
                ledger.defined_s.setdefault(name, write.at_s)
            _take_definition(ledger, name, jobs[name], value)
        elif kind == "ticks" and value is not None:
            tick = datetime.fromisoformat(value["tick"])
            # Written where it is, and nothing of the job with it, it takes nothing: it only has another revision.
            stands = tick == jobs[name].cursor and (write.revision, name) not in beside
            if tick <= jobs[name].cursor and not stands:
                ledger.fallen.append(f"revision {write.revision}: {name} from {jobs[name].cursor} to {tick}")
            jobs[name].cursor = tick
        elif kind == "executions" and value is not None and is_new and not _is_closed(value):
            ledger.openings[name].append(write)
        elif kind == "runs" and value is not None and is_new:
            ledger.wanted[name].append(value)
    for job_id, job in jobs.items():
        _end_window(ledger, job_id, job, None)


def _job_of_entry(key: str) -> str:
    """Return the job of a run's or a skipped tick's entry; of no other key."""
    kind, _, name = key.partition("/")
    return name.partition(".")[0] if kind == "executions" else ""


def _is_closed(entry: Mapping[str, Any]) -> bool:
    return any(entry.get(end) for end in ("finished", "skipped", "lost"))


def _take_definition(ledger: NaiveLedger, job_id: str, job: _Job, entry: dict[str, Any] | None) -> None:
    """A definition with other ticks ends the window: what was not taken by then need not be any more."""
    spec = entry["spec"] if entry is not None and entry["spec"].get("enabled", True) else None
    spec = spec if spec is not None and spec.get("schedule") else None
    anchor = datetime.fromisoformat(entry["anchor"]) if entry is not None else EPOCH
    if spec is not None and job.spec is not None and anchor == job.anchor and _timing(spec) == _timing(job.spec):
        return
    _end_window(ledger, job_id, job, job.cursor)
    job.spec, job.anchor, job.after = spec, anchor, job.cursor


def _timing(spec: Mapping[str, Any]) -> tuple[Any, Any]:
    return spec["schedule"], spec.get("end")


def _end_window(ledger: NaiveLedger, job_id: str, job: _Job, until: datetime | None) -> None:
    if job.spec is not None:
        ticks = [tick for tick in naive_ticks(job.spec, job.anchor) if tick > job.after]
        ledger.windows[job_id].append(Window(job.spec, [tick for tick in ticks if until is None or tick <= until]))


def naive_ticks(spec: Mapping[str, Any], anchor: datetime) -> list[datetime]:
    """Count the ticks of a job out, from its anchor to its end."""
    end = datetime.fromisoformat(spec["end"])
    schedule = spec["schedule"]
    if "every" in schedule:
        step, tick = _duration(schedule["every"]), anchor
        ticks = []
        while (tick := tick + step) < end:
            ticks.append(tick)
        return ticks
    found = re.fullmatch(r"\*(?:/(\d+))? \* \* \* \* \*", schedule["cron"])
    assert found is not None, f"the naive ledger does not know {schedule}"
    each = int(found[1] or 1)
    first = anchor.replace(microsecond=0) + timedelta(seconds=1)
    seconds = (first + timedelta(seconds=passed) for passed in range(int((end - first).total_seconds()) + 1))
    return [second for second in seconds if second < end and second.second % each == 0]


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)(ms|s)", text)
    assert found is not None, f"the naive ledger does not know {text!r}"
    return timedelta(milliseconds=int(found[1]) * (1 if found[2] == "ms" else 1000))


def _read_record(ledger: NaiveLedger, record: dict[str, Any]) -> None:
    kind = record["kind"]
    if kind not in (*CLOSING, "ExecutionStarted"):
        return
    execution = record["execution"]
    name = execution["execution_id"]
    ledger.executions.setdefault(name, execution)
    if execution.get("fencing_token"):
        ledger.tokens[name].add(execution["fencing_token"])
    if kind == "ExecutionFinished":
        if record not in ledger.finished[name]:
            ledger.finished[name].append(record)
    elif kind == "ExecutionLost":
        ledger.lost[name].append(record)
    elif kind == "TickSkipped":
        first = datetime.fromisoformat(execution["due_at"])
        last = datetime.fromisoformat(record["last_tick"]) if record.get("last_tick") else first
        ledger.skips[execution["job_id"]][name] = Skip(name, first, last, record.get("count", 1), record["reason"])
