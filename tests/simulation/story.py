"""A story: which jobs, workers, clocks and faults there are and when. A function of the seed alone, and readable."""

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from msgspec.structs import replace

from dcron_schemas.events import EventData, JobCreated, JobPaused, JobResumed, JobUpdated, RunRequested
from dcron_schemas.job import After, JobSpec, Misfire, Retry, Run, Schedule
from tests.simulation.machines import Program
from tests.virtual_time import BEGINNING

TICKS_UNTIL_S = 30  # no tick after that
LEASE_S = 5
SETTLED_BY_S = 900  # by then all must be at rest


class Trouble(Enum):
    """What kind of fault strikes again and again."""

    SKEW = "skew"
    PAUSE = "pause"
    CRASH = "crash"
    PARTITION = "partition"
    SLOW = "slow"
    MIXED = "mixed"


@dataclass(frozen=True)
class Strike:
    """A fault: what, whom, when and for how long."""

    at_s: float
    trouble: Trouble
    whom: int  # number of a worker; -1: the master
    lasts_s: float  # of a crash: until the restart; inf: for ever
    orderly: bool = False  # of a crash: it is asked to stop, and drains
    off: tuple[bool, bool] = (True, True)  # of a partition: whether from etcd, and from Kafka

    def __str__(self) -> str:
        whom = f"w{self.whom}" if self.whom >= 0 else "master"
        off = {(True, False): " from etcd", (False, True): " from Kafka"}.get(self.off, "")
        return f"{self.trouble.value} {whom}{off} {self.lasts_s:.2f} s{' (orderly)' * self.orderly}"


@dataclass(frozen=True)
class Edit:
    """A change of a job, or a wish for a run."""

    at_s: float
    job_id: str
    data: EventData


@dataclass(frozen=True)
class Story:
    """All that a seed decides before anything happens."""

    seed: int
    trouble: Trouble
    skews_s: tuple[float, ...]  # of each worker's clock
    settings: dict[str, str]  # of the workers
    edits: tuple[Edit, ...]  # in order; the creations of the jobs are the first ones
    strikes: tuple[Strike, ...]  # in order
    compactions: tuple[float, ...]

    @property
    def workers(self) -> int:
        return len(self.skews_s)

    @property
    def name(self) -> str:
        return f"{self.trouble.value}-{self.workers}-{self.seed}"


def story_named(name: str) -> Story:
    """Return the story of that name, such as `mixed-3-29`."""
    trouble, workers, seed = name.split("-")
    return story_of(int(seed), int(workers), Trouble(trouble))


def story_of(seed: int, workers: int, trouble: Trouble) -> Story:
    """Make a story up."""
    chance = random.Random(f"{seed} {workers} {trouble.value}")
    jobs = _jobs(chance)
    return Story(
        seed=seed,
        trouble=trouble,
        skews_s=tuple(_skew(chance, trouble) for _ in range(workers)),
        settings=_settings(chance),
        edits=(*_creations(jobs), *_edits(jobs, chance)),
        strikes=_strikes(chance, workers, trouble),
        compactions=tuple(sorted(chance.uniform(3, TICKS_UNTIL_S) for _ in range(chance.randrange(3)))),
    )


def _skew(chance: random.Random, trouble: Trouble) -> float:
    most_s = 5.0 if trouble in (Trouble.SKEW, Trouble.MIXED) else 0.05
    return round(chance.uniform(-most_s, most_s), 3)


def _settings(chance: random.Random) -> dict[str, str]:
    return {
        "lease_ttl": f"{LEASE_S}s",
        "slots": chance.choice(["64", "64", "3", "1"]),
        "clock_offset_limit": chance.choice(["2s", "1h"]),
    }


_PERIODS: tuple[Schedule, ...] = (
    Schedule(every="1s"),
    Schedule(every="1500ms"),
    Schedule(every="2s"),
    Schedule(every="7s"),
    Schedule(cron="* * * * * *"),
    Schedule(cron="*/2 * * * * *"),
    Schedule(cron="*/3 * * * * *"),
    Schedule(cron="*/10 * * * * *"),
)
_PROGRAMS = (
    Program(0.01, 0.2, 0.0),
    Program(0.01, 0.2, 0.4),
    Program(0.3, 1.5, 0.2),
    Program(1.0, 4.0, 0.1),
    Program(6.0, 12.0, 0.1),
)


def _jobs(chance: random.Random) -> dict[str, JobSpec]:
    """Return 3 to 6 jobs by id, and up to two that come after them."""
    jobs = {}
    for number in range(chance.randint(3, 6)):
        overlap: Any = chance.choice(["skip", "skip", "queue", "replace", "allow"])
        policy: Any = chance.choice(["skip", "skip", "once", "all"])
        jobs[f"job-{number}"] = JobSpec(
            name=f"job-{number}",
            run=Run(argv=chance.choice(_PROGRAMS).argv),
            schedule=chance.choice(_PERIODS),
            end=BEGINNING + timedelta(seconds=TICKS_UNTIL_S),
            overlap=overlap,
            misfire=Misfire(
                policy=policy,
                limit=chance.choice([2, 5, 100]),
                start_deadline=chance.choice(["1s", "3s", "1m"]),
            ),
            retry=Retry(attempts=chance.choice([0, 0, 1, 2]), backoff="500ms"),
            timeout=chance.choice([None, None, "3s"]),
            kill_grace="1s",
        )
    scheduled = list(jobs)
    for number in range(chance.randrange(3)):
        upstream = chance.sample(scheduled, chance.choice([1, 1, 2]))
        on: Any = chance.choice(["succeeded", "failed", "finished"])
        jobs[f"after-{number}"] = JobSpec(
            name=f"after-{number}",
            run=Run(argv=chance.choice(_PROGRAMS).argv),
            after=tuple(After(job=each, on=on) for each in upstream),
            overlap=chance.choice(["skip", "allow"]),
            retry=Retry(attempts=chance.choice([0, 1]), backoff="500ms"),
        )
    return jobs


def _creations(jobs: dict[str, JobSpec]) -> list[Edit]:
    return [Edit(0.1 + 0.01 * number, job_id, JobCreated(spec)) for number, (job_id, spec) in enumerate(jobs.items())]


def _edits(jobs: dict[str, JobSpec], chance: random.Random) -> list[Edit]:
    """Change some jobs again and again; what is paused at the end is resumed or stays so."""
    edits: list[Edit] = []
    specs = dict(jobs)
    scheduled = [job_id for job_id, spec in jobs.items() if spec.schedule is not None]
    changing = chance.sample(scheduled, chance.randint(0, len(scheduled) // 2))
    moments = sorted(chance.uniform(2.0, TICKS_UNTIL_S) for _ in range(2 * len(changing)))
    for at_s in moments:
        job_id = chance.choice(changing)
        spec = specs[job_id]
        kind = chance.choice(["schedule", "schedule", "overlap", "toggle", "toggle", "run"])
        data: EventData
        if kind == "schedule":
            specs[job_id] = replace(spec, schedule=chance.choice(_PERIODS))
            data = JobUpdated(specs[job_id])
        elif kind == "overlap":
            overlap: Any = chance.choice(["skip", "queue", "replace", "allow"])
            specs[job_id] = replace(spec, overlap=overlap)
            data = JobUpdated(specs[job_id])
        elif kind == "toggle":
            specs[job_id] = replace(spec, enabled=not spec.enabled)
            data = JobResumed() if specs[job_id].enabled else JobPaused()
        else:
            data = RunRequested()
        edits.append(Edit(at_s, job_id, data))
    return edits


_ONE_KIND = {
    Trouble.SKEW: (),
    Trouble.PAUSE: (Trouble.PAUSE,),
    Trouble.CRASH: (Trouble.CRASH,),
    Trouble.PARTITION: (Trouble.PARTITION,),
    Trouble.SLOW: (Trouble.SLOW,),
    Trouble.MIXED: (Trouble.PAUSE, Trouble.CRASH, Trouble.PARTITION, Trouble.SLOW),
}


def _strikes(chance: random.Random, workers: int, trouble: Trouble) -> tuple[Strike, ...]:
    kinds = _ONE_KIND[trouble]
    if not kinds:
        return ()
    strikes = []
    at_s = chance.uniform(1.0, 4.0)
    while at_s < TICKS_UNTIL_S + 2:
        kind = chance.choice(kinds)
        whom = chance.randrange(-1, workers)
        lasts_s = chance.choice([chance.uniform(0.05, 2.0), chance.uniform(2.0, 5.0), chance.uniform(5.0, 12.0)])
        orderly = kind is Trouble.CRASH and chance.random() < 0.25
        if kind is Trouble.CRASH and whom > 0 and chance.random() < 0.15:
            lasts_s = float("inf")  # worker 0 always comes back
        off = chance.choice([(True, True), (True, False), (False, True)])
        strikes.append(Strike(at_s, kind, whom, lasts_s, orderly, off if kind is Trouble.PARTITION else (True, True)))
        at_s += chance.choice([chance.uniform(0.0, 0.5), chance.uniform(1.0, 6.0)])
    return tuple(strikes)
