"""Masters' projectors on one memory store and one log, in virtual time, watched at every revision of the store."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from dcron_core.access.signing import Signatures, taken_apart
from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import Clock
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.log import Record, Topic
from dcron_core.ports.store import KeyValue, Removed
from dcron_master.projector import Projector
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobEvent, LogOpened, LogRecordSkipped
from tests.naive_directory import Bounds
from tests.naive_fold import Jobs, NaiveFold
from tests.services import JOB_EVENTS, KEYS
from tests.signing_keys import MASTERS_KEYS, PUBLIC_KEY
from tests.stateful.connections import LogConnection, StoreConnection
from tests.virtual_time import BEGINNING, VirtualClock, VirtualLoop
from tests.witness import Witness

SIGNATURES = Signatures(**MASTERS_KEYS)


class WatchedStore(MemoryStore):
    """Shows the witness every revision, at once."""

    def __init__(self, clock: Clock, witness: "Witness") -> None:
        super().__init__(clock)
        self._witness = witness

    def empty(self) -> None:
        """Lose all keys at once."""
        self._record([self._remove(key, self._revision + 1) for key in list(self._keys)])

    def _record(self, events: list[KeyValue | Removed]) -> None:
        super()._record(events)
        if events:
            self._witness.see(events)


class ToldLog(MemoryLog):
    """Tells the naive fold of every record, whoever appends it."""

    def __init__(self, clock: Clock, naive: NaiveFold) -> None:
        super().__init__(clock)
        self._naive = naive

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        self._naive.take(value)
        return super().append(topic, key, value, headers)


@dataclass
class Running:
    """A master's projector, and its connections."""

    projector: Projector
    store: StoreConnection
    log: LogConnection
    task: "asyncio.Task[None]"


class World:
    """Everything, at one instant. Time passes in `loop.turn`, `loop.settle` and `loop.advance` only."""

    def __init__(self, window: int, bounds: Bounds | None = None) -> None:
        self.loop = VirtualLoop()
        clock = VirtualClock(self.loop)
        self.naive = NaiveFold(window, bounds=bounds or Bounds())
        self.witness = Witness(self.naive, KEYS, PUBLIC_KEY)
        self.store = WatchedStore(clock, self.witness)
        self.log = ToldLog(clock, self.naive)
        self.mirror = Mirror()  # of the jobs, as a worker sees them
        self.masters: list[Running] = []
        self.loop.run_until_complete(self.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)]))
        self._watching = self.loop.create_task(self._watch())
        self._opened = 0

    def close(self) -> None:
        self.loop.finish()

    def append(self, value: bytes, key: str = "") -> int:
        """Append a record; return its position."""
        return self.log.append(JOB_EVENTS, key, value, ())

    def say(self, event: JobEvent) -> int:
        """Append an event; return its position."""
        return self.append(encode(event), event.job_id)

    def start_master(self) -> None:
        self._opened += 1
        store, log = StoreConnection(self.store), LogConnection(self.log)
        projector = Projector(store, log, KEYS, JOB_EVENTS, signatures=SIGNATURES)
        opening = event(f"opening-{self._opened}", "", LogOpened(f"log-{self._opened}"))
        task = self.loop.create_task(projector.run(opening))
        self.masters.append(Running(projector, store, log, task))

    def crash(self, master: Running) -> None:
        """Let a master end wherever it is; what is under way to the store is done or not."""
        self.masters.remove(master)
        master.task.cancel()
        self.loop.turn()

    def empty_store(self) -> None:
        """The store loses everything."""
        self.witness.emptying = True
        self.store.empty()
        self.witness.emptying = False

    def record(self, offset: int) -> Record:
        return self.log.partitions(JOB_EVENTS)[0].read(offset, 1)[0]

    def stored(self) -> list[str]:
        """Return every key of the store."""
        return [item.key for item in self.loop.run_until_complete(self.store.read_prefix(KEYS.prefix)).items]

    def mirrored(self) -> Jobs:
        """Return the jobs as a worker sees them."""
        items = self.mirror.items.values()
        return {item.key.removeprefix(KEYS.jobs): json.loads(taken_apart(item.value).rest) for item in items}

    async def _watch(self) -> None:
        async for update in follow(self.store, KEYS.jobs):
            self.mirror.apply(update)

    def problems(self) -> list[str]:
        """Return what is not as it should be."""
        ended = [repr(master.task.exception()) for master in self.masters if master.task.done()]
        return self.witness.problems + [f"a projector ended: {error}" for error in ended]


def event(event_id: str, job_id: str, data: EventData, *, at_s: int = 0, expected: int | None = None) -> JobEvent:
    return JobEvent(
        event_id=event_id,
        job_id=job_id,
        actor="ada",
        request_id="",
        at=BEGINNING + timedelta(seconds=at_s),
        data=data,
        expected_version=expected,
    )


def skip_of(offset: int, value: bytes) -> LogRecordSkipped:
    """Return what says that the record at `offset` is stepped over."""
    return LogRecordSkipped(offset, sha256(value).hexdigest(), "for the test")
