"""One story, lived through: real workers and a real projector and sweeper in virtual time, and all that happened.

Everything runs in one thread on one `LaneLoop`: each life of a worker, and of the master, is a lane. Nothing reads
the machine's clock or its randomness, so the same story always has the same history.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from dcron_core.access.signing import Signatures
from dcron_core.ids import IdSource
from dcron_core.ports.log import Topic
from dcron_core.ports.store import KeyValue
from dcron_core.settings import MasterSettings, WorkerSettings
from dcron_master.metrics import MasterMetrics
from dcron_master.projector import Projector
from dcron_master.sweeper import Sweeper
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobEvent, LogOpened
from dcron_worker.service import open_worker
from tests.naive_ledger import naive_ticks
from tests.services import EXECUTIONS, JOB_EVENTS, KEYS, TOKEN
from tests.signing_keys import MASTERS_KEYS, WORKERS_KEYS
from tests.simulation.lanes import Lane, LaneLoop
from tests.simulation.machines import Machines, Witnessed, simulated_outside
from tests.simulation.network import QUICK, SLOW, Link, LogConnection, StoreConnection
from tests.simulation.servers import Revision, SimulatedLog, SimulatedStore
from tests.simulation.story import SETTLED_BY_S, TICKS_UNTIL_S, Edit, Story, Strike, Trouble
from tests.virtual_time import BEGINNING

HEALED_AT_S = TICKS_UNTIL_S + 6.0  # from then on nothing goes wrong any more
ORPHAN_GRACE = "2s"


@dataclass
class History:
    """All that happened."""

    story: Story
    revisions: list[Revision]  # of the store
    records: list[bytes]  # of `cron.executions`, in the order of their arrival
    processes: list[Witnessed]
    pauses: dict[str, list[tuple[float, float]]]  # worker id → from when to when it stood still
    left: list[str]  # keys of runs that were still open when the simulation ended
    failures: list[str]  # services that ended by themselves
    ended_s: float
    trace: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Another one means that something else happened."""
        digest = sha256()
        for line in self.trace:
            digest.update(line.encode())
        for revision in self.revisions:
            for event in revision.events:
                digest.update(f"{revision.at_s!r} {event.key} {event.mod_revision}".encode())
        for record in self.records:
            digest.update(record)
        return digest.hexdigest()


class SkewedClock:
    """A clock that is wrong, always by as much."""

    def __init__(self, loop: LaneLoop, skew_s: float) -> None:
        self._loop = loop
        self._zero = BEGINNING + timedelta(seconds=skew_s)

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()


class Service:
    """A worker, or the master: one life after the other, each in a lane and on a link of its own."""

    def __init__(self, world: "World", name: str, number: int) -> None:
        self.name = name
        self.pauses: list[tuple[float, float]] = []
        self.alive = False
        self.gone_for_ever = False
        self.world = world
        self.clock = SkewedClock(world.loop, world.story.skews_s[number] if number >= 0 else 0.0)
        self._number = number
        self._lives = 0
        self._still_since: float | None = None
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Begin the next life."""
        self._lives += 1
        self.alive = True
        chance = random.Random(f"{self.world.story.seed} {self.name} {self._lives}")
        self.chance = chance
        self.link = Link(self.world.loop, chance)
        self.lane = Lane(self.world.loop, self.name)
        self._stop = asyncio.Event()
        self.task = self.lane.start(self._live(self._stop))
        self.task.add_done_callback(self._ended)
        self.world.lives.append(self)

    async def _live(self, stop: asyncio.Event) -> None:
        store, log = StoreConnection(self.world.store, self.link), LogConnection(self.world.log, self.link)
        structlog.contextvars.bind_contextvars(who=f"{self.name}.{self._lives}")
        if self._number >= 0:
            await self._work(store, log, stop)
        else:
            await self._be_master(store, log)

    async def _work(self, store: StoreConnection, log: LogConnection, stop: asyncio.Event) -> None:
        settings = msgspec.convert(
            {
                "token": TOKEN,
                "worker_data": str(self.world.data / self.name),
                "shutdown_timeout": "3s",
                **WORKERS_KEYS,
                **self.world.story.settings,
            },
            WorkerSettings,
            strict=False,
        )
        ids = IdSource(self._lives)
        async with open_worker(settings, store, log, self.clock, ids) as worker:
            stopped = asyncio.ensure_future(stop.wait())
            failed = asyncio.ensure_future(worker.background.failed())
            try:
                await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
                if failed.done():
                    failed.result()
            finally:
                stopped.cancel()
                failed.cancel()

    async def _be_master(self, store: StoreConnection, log: LogConnection) -> None:
        settings = msgspec.convert({"token": TOKEN, "orphan_grace": ORPHAN_GRACE}, MasterSettings)
        signatures = Signatures(**MASTERS_KEYS)
        projector = Projector(store, log, KEYS, JOB_EVENTS, signatures=signatures)
        async with log.producer() as producer, asyncio.TaskGroup() as group:
            sweeper = Sweeper(store, producer, KEYS, settings, self.clock, MasterMetrics(), projector, signatures)
            opening = self.world.event("", LogOpened("another-log"), f"opened-{self._lives}")  # a no-op
            group.create_task(projector.run(opening))
            group.create_task(sweeper.run())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task is not self.task or not self.alive:
            return
        self.alive = False
        if not self._stop.is_set() and not task.cancelled():
            self.world.failures.append(f"{self.name} ended by itself: {task.exception()!r}")

    # ---- Faults

    def crash(self) -> None:
        """End at once, with no clean up; the processes of its runs end in a moment."""
        self.go_on()  # whoever stands still has no later end
        self.alive = False
        self.lane.stop()
        self.link.close()
        self.world.machines.worker_died(self.name, self.chance)

    def ask_to_stop(self) -> None:
        self._stop.set()

    def stand_still(self) -> None:
        if self._still_since is None:
            self._still_since = self.world.loop.time()
            self.lane.stop()

    def go_on(self) -> None:
        if self._still_since is not None:
            self.pauses.append((self._still_since, self.world.loop.time()))
            self._still_since = None
            self.lane.go_on()


class World:
    """Lives one story."""

    def __init__(self, story: Story, data: Path) -> None:
        self.story = story
        self.data = data
        self.loop = LaneLoop()
        clock = SkewedClock(self.loop, 0.0)
        self.store = SimulatedStore(clock, self.loop)
        self.log = SimulatedLog(clock, self.loop)
        self.machines = Machines(self.loop, story.seed)
        self.trace: list[str] = []
        self.failures: list[str] = []
        self.lives: list[Service] = []
        self._event_ids = count(1)
        self.services = [Service(self, f"w{number}", number) for number in range(story.workers)]
        self.services.append(Service(self, "master", -1))

    def event(self, job_id: str, data: EventData, event_id: str) -> JobEvent:
        at = BEGINNING + timedelta(seconds=self.loop.time())
        return JobEvent(event_id=event_id, job_id=job_id, actor="ada", request_id="", at=at, data=data)

    def live(self) -> History:
        """Live the story to its end, and until all is at rest."""
        with self.begun():
            self.loop.advance(HEALED_AT_S)
            return self.come_to_rest()

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Live while open, as far as `loop.advance` goes."""
        with simulated_outside(self.machines), self._traced():
            self._plan()
            try:
                yield
            finally:
                self._end()

    def come_to_rest(self) -> History:
        """Heal everything, and wait until nothing is under way any more; return all that happened."""
        self._heal()
        while (left := self._left()) and self.loop.time() < SETTLED_BY_S:
            self.loop.advance(2.0)
        return self._history(left)

    def _plan(self) -> None:
        loop = self.loop
        loop.run_until_complete(self.log.ensure_topics([Topic(JOB_EVENTS, 1), Topic(EXECUTIONS, 2)]))
        self.log.append(JOB_EVENTS, "", encode(self.event("", LogOpened("the-log"), "opening")), ())
        for service in self.services[:-1]:
            (self.data / service.name).mkdir(parents=True)
            (self.data / service.name / "worker-id").write_text(service.name + "\n", encoding="ascii")
        for service in self.services:
            service.start()
        for edit in self.story.edits:
            loop.world_calls_later(edit.at_s, self._edit, edit)
        for strike in self.story.strikes:
            loop.world_calls_later(strike.at_s, self._strike, strike)
        for at_s in self.story.compactions:
            loop.world_calls_later(at_s, self.store.forget_history)

    def _edit(self, edit: Edit) -> None:
        self.say("world", f"{type(edit.data).__name__} {edit.job_id}")
        event = self.event(edit.job_id, edit.data, f"event-{next(self._event_ids)}")
        self.log.append(JOB_EVENTS, edit.job_id, encode(event), ())

    def _strike(self, strike: Strike) -> None:
        whom = self.services[strike.whom]
        if not whom.alive:
            return
        self.say("world", str(strike))
        later = self.loop.world_calls_later
        lasts_s = min(strike.lasts_s, max(0.0, HEALED_AT_S - self.loop.time()))
        match strike.trouble:
            case Trouble.PAUSE:
                whom.stand_still()
                later(lasts_s, whom.go_on)
            case Trouble.PARTITION:
                whom.link.break_off(from_store=strike.off[0], from_log=strike.off[1])
                later(lasts_s, whom.link.heal)
            case Trouble.SLOW:
                whom.link.pace = SLOW
                later(lasts_s, setattr, whom.link, "pace", QUICK)
            case Trouble.CRASH if strike.orderly and strike.whom >= 0:
                whom.ask_to_stop()
                later(lasts_s, self._start_again, whom)
            case Trouble.CRASH:
                whom.crash()
                whom.gone_for_ever = strike.lasts_s == float("inf")
                later(lasts_s, self._start_again, whom)
            case _:
                raise AssertionError(strike)

    def _start_again(self, service: Service) -> None:
        if not service.alive and not service.gone_for_ever:
            self.say("world", f"{service.name} starts again")
            service.start()

    def _heal(self) -> None:
        """Let nothing be wrong any more, but the clocks, and those who are gone for ever."""
        self.say("world", "all is healed")
        for service in self.services:
            service.go_on()
            service.link.pace = QUICK
            service.link.heal()
            self._start_again(service)

    def _left(self) -> list[str]:
        """Return the keys of what is not at rest."""
        prefixes = (KEYS.runs, KEYS.executions, KEYS.all_active)
        return [item.key for prefix in prefixes for item in self.store.under(prefix)] or self._behind()

    def _behind(self) -> list[str]:
        """Return the jobs that have a tick which nobody has taken yet."""
        behind = []
        for item in self.store.under(KEYS.jobs):
            job = json.loads(item.value)
            if not job["spec"].get("schedule") or not job["spec"].get("enabled", True):
                continue
            ticks = naive_ticks(job["spec"], datetime.fromisoformat(job["anchor"]))
            cursor = next(iter(self.store.under(KEYS.tick(job["job_id"]))), None)
            taken = datetime.fromisoformat(json.loads(cursor.value)["tick"]) if cursor else BEGINNING
            if ticks and ticks[-1] > taken:
                behind.append(item.key)
        return behind

    def _history(self, left: list[str]) -> History:
        return History(
            story=self.story,
            revisions=list(self.store.revisions),
            records=[each.value for each in self.log.records if each.topic == EXECUTIONS],
            processes=list(self.machines.seen),
            pauses={service.name: service.pauses for service in self.services},
            left=left,
            failures=list(self.failures),
            ended_s=self.loop.time(),
            trace=self.trace,
        )

    def _end(self) -> None:
        """Let go of everything: whoever is not dead dies, and the dead may clean up, which nobody sees any more."""
        for service in self.services:
            if service.alive:
                service.crash()
        self.trace = []
        self.loop.bury()

    # ---- What is written down

    def say(self, who: str, what: str) -> None:
        self.trace.append(f"{self.loop.time():8.3f} {who:9} {what}")

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """Take the services' own logs into the trace."""
        before = structlog.get_config()
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, self._take_log],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)

    def _take_log(self, _logger: Any, _level: str, event: Any) -> Any:
        who = event.pop("who", "?")
        action = event.pop("action", "")
        said = event.pop("event", "")
        exception = event.pop("exc_info", None)
        rest = " ".join(f"{key}={value}" for key, value in sorted(event.items()))
        self.say(who, f"{action} {said} {rest}" + (f" {exception!r}" if exception else ""))
        raise structlog.DropEvent


def lived(story: Story, data: Path) -> History:
    """Live through a story; return what happened."""
    return World(story, data).live()


def told(history: History) -> Iterator[str]:
    """Yield what happened, in the order of time, for people."""
    lines = [(float(line[:8]), line) for line in history.trace]
    for revision in history.revisions:
        for event in revision.events:
            what = f"= {event.value.decode()[:300]}" if isinstance(event, KeyValue) else "is gone"
            if not event.key.startswith((KEYS.clocks, KEYS.workers)):
                lines.append((revision.at_s, f"{revision.at_s:8.3f} etcd      {event.mod_revision} {event.key} {what}"))
    for process in history.processes:
        name = f"{process.execution_id} on {process.worker_id} token {process.fencing_token}"
        lines.append((process.started_s, f"{process.started_s:8.3f} process   starts {name}"))
        if process.ended_s is not None:
            lines.append((process.ended_s, f"{process.ended_s:8.3f} process   ends {name} with {process.exit_code}"))
    lines.sort(key=lambda line: line[0])
    return (line for _, line in lines)
