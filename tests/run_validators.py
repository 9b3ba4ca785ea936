"""One validator for each guarantee about ticks and runs, over a naive ledger and what a witness saw of processes.

A validator returns what is wrong, as text for people; nothing: the guarantee held.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

from tests.naive_ledger import NaiveLedger, attempt_of, tick_id

KNOWN_AFTER_S = 1.0  # so long after its creation every worker knows a job
RETRIED = ("failed", "timed_out", "lost")  # by default


class SeenProcess(Protocol):
    """A run's process, as somebody saw it who is no worker."""

    @property
    def execution_id(self) -> str: ...
    @property
    def worker_id(self) -> str: ...
    @property
    def fencing_token(self) -> int: ...
    @property
    def started_s(self) -> float: ...
    @property
    def ended_s(self) -> float | None: ...
    @property
    def exit_code(self) -> int | None: ...


def no_doubles(ledger: NaiveLedger, processes: Iterable[SeenProcess]) -> list[str]:
    """G4: nothing is claimed twice, and nothing is started twice; cursors go forward; one tick has one fate."""
    problems = [f"a cursor fell: {each}" for each in ledger.fallen]
    for name, openings in ledger.openings.items():
        if len(openings) > 1:
            problems.append(f"{name} was claimed {len(openings)} times: {[each.revision for each in openings]}")
    for name, tokens in ledger.tokens.items():
        if len(tokens) > 1:
            problems.append(f"{name} has several fencing tokens on record: {sorted(tokens)}")
    started: defaultdict[str, list[SeenProcess]] = defaultdict(list)
    for process in processes:
        started[process.execution_id].append(process)
    for name, several in started.items():
        if len(several) > 1:
            problems.append(f"{name} was started {len(several)} times: {several}")
        if name in ledger.skips[name.partition(".")[0]]:
            problems.append(f"{name} was started, and is on record as skipped")
    return problems


def every_tick_is_accounted_for(ledger: NaiveLedger) -> list[str]:
    """G5: each tick that the definitions implied ran or was skipped, in one way; and nothing else did."""
    problems = []
    known = set()
    for job_id, windows in ledger.windows.items():
        ticks = [tick for window in windows for tick in window.ticks]
        known |= {tick_id(job_id, tick) for tick in ticks}
        for tick in ticks:
            name = tick_id(job_id, tick)
            ways = [s.execution_id for s in ledger.skips[job_id].values() if s.first <= tick <= s.last]
            if (name in ledger.finished or name in ledger.lost) and name not in ways:
                ways.append(name)
            if not ways:
                problems.append(f"{name} ({tick:%T.%f}) is unaccounted for")
            elif len(ways) > 1:
                problems.append(f"{name} ({tick:%T.%f}) is accounted for in several ways: {ways}")
        for skip in ledger.skips[job_id].values():
            there = sum(skip.first <= tick <= skip.last for tick in ticks)
            if ledger.executions[skip.execution_id]["trigger"] == "tick" and skip.many not in (0, there):
                problems.append(f"{skip} names {skip.many} ticks; there are {there}")
    for name, execution in ledger.executions.items():
        if execution["trigger"] == "tick" and name not in known:
            problems.append(f"{name} is on record, and its job has no such tick")
    return problems


def every_end_is_on_record(ledger: NaiveLedger, processes: Iterable[SeenProcess], left: Sequence[str]) -> list[str]:
    """G6: what was claimed, wanted or started has a closing record, which tells what happened; nothing stays open."""
    problems = [f"still open at the end: {key}" for key in left]
    begun = sorted({*ledger.openings, *ledger.wanted})
    problems += [f"{name} was claimed or wanted, and has no end on record" for name in begun if not ledger.closed(name)]
    for name, ends in ledger.finished.items():
        if len(ends) > 1:
            problems.append(f"{name} ended in several ways: {ends}")
    for process in processes:
        if not ledger.closed(process.execution_id):
            problems.append(f"{process} has no end on record")
        if process.ended_s is None:
            problems.append(f"{process} never ended")
        ends = ledger.finished.get(process.execution_id, [])
        problems += [f"{process} is on record as {end}" for end in ends if not _agrees(process, end)]
    return problems


def all_jobs_had_ticks(ledger: NaiveLedger, jobs: Iterable[str]) -> list[str]:
    """Of a story in which no job had a tick nothing was shown."""
    return [f"{job_id} was to be created, and had no tick" for job_id in jobs if not ledger.windows[job_id]]


def _agrees(process: SeenProcess, end: Mapping[str, Any]) -> bool:
    """Tell whether a record says of a process what was seen of it."""
    if end["execution"]["fencing_token"] != process.fencing_token or end.get("started_at") is None:
        return False
    if process.exit_code is None:
        return bool(end["outcome"] != "succeeded")
    return bool(end.get("exit_code") == process.exit_code or end["outcome"] in ("killed", "timed_out"))


def exclusive_runs_do_not_overlap(
    ledger: NaiveLedger,
    processes: Iterable[SeenProcess],
    pauses: Mapping[str, Iterable[tuple[float, float]]],
    fence_s: float,
) -> list[str]:
    """G7: beside a live run of a job that forbids overlap no other one starts.

    With the one exception of the guarantee: the worker of the live one stood still within the last `fence_s`, the
    time that it has to end its runs when it can no longer trust its lease; so it could not be stopped.
    """
    problems = []
    of_job: defaultdict[str, list[SeenProcess]] = defaultdict(list)
    for process in processes:
        of_job[process.execution_id.partition(".")[0]].append(process)
    for runs in of_job.values():
        runs.sort(key=lambda run: run.started_s)
        for number, later in enumerate(runs):
            for earlier in runs[:number]:
                if earlier.ended_s is not None and earlier.ended_s <= later.started_s:
                    continue
                if _allows_overlap(ledger, later) or _allows_overlap(ledger, earlier):
                    continue
                if not _stood_still(pauses.get(earlier.worker_id, ()), later.started_s - fence_s, later.started_s):
                    problems.append(f"{later} started while there was {earlier}")
    return problems


def _allows_overlap(ledger: NaiveLedger, process: SeenProcess) -> bool:
    execution = ledger.executions.get(process.execution_id)
    if execution is None:  # that it has no record at all is another validator's to say
        return True
    spec = ledger.versions[execution["job_id"], execution["job_version"]]
    return bool(spec.get("overlap", "skip") == "allow")


def _stood_still(pauses: Iterable[tuple[float, float]], since: float, until: float) -> bool:
    return any(begin <= until and end >= since for begin, end in pauses)


def ends_have_what_follows(ledger: NaiveLedger) -> list[str]:
    """G6: an end that is to be tried again has one next attempt; a final one that others wait for starts them, once."""
    problems = []
    for name in sorted({*ledger.finished, *ledger.lost}):
        outcomes = {end["outcome"] for end in ledger.finished.get(name, ())} | ({"lost"} & _lost(ledger, name))
        run, attempt = attempt_of(name)
        job_id = name.partition(".")[0]
        more = ledger.spec_of(job_id).get("retry", {}).get("attempts", 0) >= attempt
        again = more and all(outcome in RETRIED for outcome in outcomes)
        final = not more or all(outcome not in RETRIED for outcome in outcomes)
        following = f"{run}.{attempt + 1}"
        if again and not ledger.closed(following):
            problems.append(f"{name} came to {outcomes}, and was not tried again")
        if final and ledger.closed(following):
            problems.append(f"{name} came to {outcomes}, and was tried again")
        if final:
            problems += _dependants_started(ledger, job_id, name, outcomes)
    for name, wishes in ledger.wanted.items():
        if len(wishes) > 1:
            problems.append(f"{name} was wanted {len(wishes)} times")
    return problems


def _lost(ledger: NaiveLedger, name: str) -> set[str]:
    return {"lost"} if name in ledger.lost else set()


def _dependants_started(ledger: NaiveLedger, job_id: str, name: str, outcomes: set[str]) -> list[str]:
    """Look at the jobs that come after this one alone: of several it hangs on the order of their ends."""
    problems = []
    for (dependant, version), spec in ledger.versions.items():
        after = spec.get("after", ())
        if version != 1 or len(after) != 1 or after[0]["job"] != ledger.spec_of(job_id)["name"]:
            continue
        on = after[0].get("on", "succeeded")
        claimed_s = max((opening.at_s for opening in ledger.openings.get(name, ())), default=0.0)
        if claimed_s < ledger.defined_s[dependant] + KNOWN_AFTER_S:
            continue
        starts = {on == "finished" or (on == "succeeded") == (outcome == "succeeded") for outcome in outcomes}
        count = sum(
            wish["job_id"] == dependant and wish["requested_by"] == name
            for wishes in ledger.wanted.values()
            for wish in wishes
        )
        if len(starts) == 1 and count != int(starts.pop()):
            problems.append(f"{name} came to {outcomes}, and started {dependant} {count} times")
    return problems


def queued_ticks_run_in_order(ledger: NaiveLedger, processes: Iterable[SeenProcess]) -> list[str]:
    """Of a job whose ticks wait for each other, and was never anything else, each starts after those before it."""
    problems = []
    of_job: defaultdict[str, list[SeenProcess]] = defaultdict(list)
    for process in processes:
        execution = ledger.executions.get(process.execution_id)
        if execution is not None and execution["trigger"] == "tick":
            of_job[execution["job_id"]].append(process)
    for job_id, runs in of_job.items():
        if any(spec.get("overlap") != "queue" for (job, _), spec in ledger.versions.items() if job == job_id):
            continue
        runs.sort(key=lambda run: run.started_s)
        due = [datetime.fromisoformat(ledger.executions[run.execution_id]["due_at"]) for run in runs]
        problems += [f"{job_id} ran {one} before {other}" for one, other in pairwise(due) if one > other]
    return problems
