"""The fold once more, as somebody would do it by hand: from the bytes of the log to the bytes of etcd.

It shares no code with what it judges, knows nothing of speed, and remembers the jobs at every position. Tests
hold the projector, the fold and the masters against it (G1, G2, G3).
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from tests.naive_directory import Bounds, People, RefusedError
from tests.naive_directory import after as people_after

Json = dict[str, Any]
Jobs = dict[str, Json]  # job id → the job as in etcd


@dataclass(frozen=True)
class NaiveStep:
    """What a record came to."""

    event: Json | None  # None: it cannot be read
    outcome: Literal["applied", "refused", "repeated", "unreadable"]
    jobs: Jobs  # after it
    run: str = ""  # the execution that it asks for
    people: People = field(default_factory=dict)  # users, tokens and secrets after it


@dataclass
class NaiveFold:
    """A log that is folded record by record. `steps[position]` is what happened there."""

    window: int = 10_000  # a repetition is an event id that was there within so many positions
    log_id: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    steps: list[NaiveStep] = field(default_factory=list)
    _last_seen: dict[str, int] = field(default_factory=dict)  # event id → position
    _unreadable: dict[int, str] = field(default_factory=dict)  # position → digest, of those nobody stepped over yet

    @classmethod
    def of(cls, values: Iterable[bytes]) -> "NaiveFold":
        """Fold a whole log."""
        naive = cls()
        for value in values:
            naive.take(value)
        return naive

    @property
    def end(self) -> int:
        return len(self.steps)

    def jobs_at(self, position: int) -> Jobs:
        """Return the jobs at a position; before the first one there are none."""
        return self.steps[position].jobs if position >= 0 else {}

    def people_at(self, position: int) -> People:
        """Return the users, tokens and secrets at a position; before the first one there are none."""
        return self.steps[position].people if position >= 0 else {}

    def reachable(self, position: int) -> bool:
        """Tell whether everything up to `position` can be read, or is stepped over."""
        return position < self.end and all(offset > position for offset in self._unreadable)

    def stuck_at(self) -> list[int]:
        """Return the positions that cannot be read and that nobody stepped over."""
        return sorted(self._unreadable)

    def runs_at(self, position: int, since: int) -> set[str]:
        """Return the executions asked for from position `since` on, up to `position`."""
        return {step.run for step in self.steps[since : position + 1] if step.run}

    def take(self, value: bytes) -> NaiveStep:
        """Fold the next record."""
        position = self.end
        jobs, people = self.jobs_at(position - 1), self.people_at(position - 1)
        event = _event(value)
        if event is None:
            self._unreadable[position] = sha256(value).hexdigest()
            step = NaiveStep(None, "unreadable", jobs, people=people)
        else:
            step = self._fold(position, event, jobs, people)
            self._last_seen[event["event_id"]] = position
            self._step_over(event)
        self.steps.append(step)
        return step

    def _fold(self, position: int, event: Json, jobs: Jobs, people: People) -> NaiveStep:
        seen = self._last_seen.get(event["event_id"])
        if seen is not None and seen >= position - self.window:
            return NaiveStep(event, "repeated", jobs, people=people)
        try:
            others = people_after(event, people, self.bounds)
            if others is not None:
                return NaiveStep(event, "applied", jobs, people=others)
            after, run = self._effect(position, event, jobs)
        except RefusedError:
            return NaiveStep(event, "refused", jobs, people=people)
        return NaiveStep(event, "applied", after, run, people)

    def _step_over(self, event: Json) -> None:
        data = event["data"]
        if data["kind"] == "LogRecordSkipped" and self._unreadable.get(data["offset"]) == data["sha256"]:
            del self._unreadable[data["offset"]]

    def _effect(self, position: int, event: Json, jobs: Jobs) -> tuple[Jobs, str]:
        data, job_id = event["data"], event["job_id"]
        kind = data["kind"]
        if kind == "LogOpened":
            _refuse(bool(self.log_id))
            self.log_id = data["log_id"]
            return jobs, ""
        if kind == "LogRecordSkipped":
            return jobs, ""
        if kind in ("JobCreated", "JobRestored"):
            _refuse(job_id in jobs or _taken(jobs, data["spec"], job_id))
            _refuse(_circular(jobs, event, data["spec"]) or self._restored_by_another(position, event))
            return jobs | {job_id: _new(position, event, data["spec"], data.get("version", 1))}, ""
        _refuse(job_id not in jobs)
        job = jobs[job_id]
        _refuse(event.get("expected_version") not in (None, job["version"]))
        if kind == "JobDeleted":
            return {each: value for each, value in jobs.items() if each != job_id}, ""
        if kind == "RunRequested":
            return jobs, f"{job_id}.r{event['event_id']}.1"
        if kind == "KillRequested":
            _refuse(data["execution_id"].split(".")[0] != job_id)
            return jobs, ""
        spec = _EDITS[kind](job["spec"], data)
        if spec == job["spec"]:
            return jobs, ""
        _refuse(_taken(jobs, spec, job_id))
        linked = [(each.get("after"), _name(each)) for each in (spec, job["spec"])]
        _refuse(linked[0] != linked[1] and _circular(jobs, event, spec))
        return jobs | {job_id: _edited(position, event, job, spec)}, ""

    def _restored_by_another(self, position: int, event: Json) -> bool:
        seen = event["data"].get("seen")
        if seen is None:
            return False
        since = [step.event for step in self.steps[seen + 1 :] if step.event is not None]
        rivals = [each for each in since if each["data"]["kind"] == "JobRestored" and each["job_id"] == event["job_id"]]
        return position - seen > self.window or bool(rivals)


_EDITS: dict[str, Callable[[Json, Json], Json]] = {
    "JobUpdated": lambda _spec, data: data["spec"],
    "JobReverted": lambda _spec, data: data["spec"],
    "JobPaused": lambda spec, _data: spec | {"enabled": False},
    "JobResumed": lambda spec, _data: {name: value for name, value in spec.items() if name != "enabled"},
}


def _event(value: bytes) -> Json | None:
    try:
        event = json.loads(value)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event_id" in event and "data" in event else None


def _refuse(reason: bool) -> None:
    if reason:
        raise RefusedError


def _taken(jobs: Jobs, spec: Json, job_id: str) -> bool:
    return any(_name(job["spec"]) == _name(spec) and job["job_id"] != job_id for job in jobs.values())


def _circular(jobs: Jobs, event: Json, spec: Json) -> bool:
    """Tell whether the job comes after itself, in a table that is written down as it would be."""
    if event.get("schema_version", 1) < 3:
        return False
    specs = [job["spec"] for job in jobs.values() if job["job_id"] != event["job_id"]] + [spec]
    after = {_name(each): {(_name(each)[0], link["job"]) for link in each.get("after", ())} for each in specs}
    reached: set[tuple[str, str]] = set()
    edge = set(after[_name(spec)])
    while edge:
        reached |= edge
        edge = set().union(*(after.get(name, set()) for name in edge)) - reached
    return _name(spec) in reached


def _name(spec: Json) -> tuple[str, str]:
    return spec.get("namespace", "default"), spec["name"]


def _new(position: int, event: Json, spec: Json, version: int) -> Json:
    return {
        "job_id": event["job_id"],
        "version": version,
        "spec": spec,
        "anchor": event["at"],
        "position": position,
        "created_at": event["at"],
        "updated_at": event["at"],
        "updated_by": event["actor"],
    }


def _edited(position: int, event: Json, job: Json, spec: Json) -> Json:
    other_ticks = any(job["spec"].get(part) != spec.get(part) for part in ("schedule", "timezone", "dst"))
    resumed = spec.get("enabled", True) and not job["spec"].get("enabled", True)
    anchor = max(event["at"], job["anchor"], key=datetime.fromisoformat) if other_ticks or resumed else job["anchor"]
    return job | {
        "version": job["version"] + 1,
        "spec": spec,
        "anchor": anchor,
        "position": position,
        "updated_at": event["at"],
        "updated_by": event["actor"],
    }
