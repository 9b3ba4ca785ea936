"""Looks at all parts at the same time, each for a bounded time; what does not answer is a finding like any other."""

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path

from msgspec import Struct

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import Clock
from dcron_core.errors import DcronError, UnavailableError
from dcron_core.keys import Keys
from dcron_core.settings import LogIngesterSettings, MasterSettings, ToolSettings, WorkerSettings, load
from dcron_core.topics import topics
from dcron_log_ingester.store import open_store
from dcron_standalone.client import ApiError, find_access
from dcron_standalone.data_directory import Access, DataDirectory
from dcron_standalone.doctor import clocks, disks, etcd, kafka, keys, mongodb, workers
from dcron_standalone.doctor.clocks import Difference
from dcron_standalone.doctor.finding import Finding, Look, Report, unanswered
from dcron_standalone.doctor.services import Seen, seen_at, token_for_others, versions_judged
from dcron_standalone.doctor.workers import Registered

ANSWER_S = 4.0
LONGEST_S = 20.0  # for any part; nothing waits longer, whatever hangs
CHECK_ETCD = "start it; check DCRON_ETCD, and the network between here and there"
CHECK_KAFKA = "start it; check DCRON_KAFKA, and the network between here and there"
CHECK_MONGODB = "start it; check DCRON_MONGODB (user and password too), and the network between here and there"
_NO_TOKEN = "no token is needed here"  # noqa: S105  the settings of services want one


class Places(Struct, frozen=True):
    """Where everything is, by the environment and the local stack's files."""

    tools: ToolSettings
    master: MasterSettings
    worker: WorkerSettings
    ingester: LogIngesterSettings
    access: Access | None
    no_access: str  # why there is none
    directory: DataDirectory

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Places":
        """Return what the environment says; what it does not say, the local stack's files do."""
        directory = DataDirectory(Path(environ.get("DCRON_DATA", ".dcron")))
        stack = directory.read_servers()
        known = {**(stack.environment() if stack else {}), **environ}
        filled = {"DCRON_TOKEN": _NO_TOKEN, **known}
        access, no_access = None, ""
        try:
            access = find_access(environ)
        except ApiError as error:
            no_access = str(error)
        return cls(
            load(ToolSettings, known),
            load(MasterSettings, filled),
            load(WorkerSettings, filled),
            load(LogIngesterSettings, filled),
            access,
            no_access,
            directory,
        )

    @property
    def replicated(self) -> bool:
        """Whether the system is meant to live on when a machine dies."""
        return self.tools.topic_replication > 1


async def examine(places: Places, clock: Clock) -> Report:
    """Look at everything, and judge it."""
    log, store, database, services = await asyncio.gather(
        _bounded("kafka", _kafka(places), CHECK_KAFKA),
        _bounded("etcd", _etcd(places, clock), CHECK_ETCD),
        _bounded("mongodb", _mongodb(places, clock), CHECK_MONGODB),
        _services(places, clock),
    )
    looks: list[Look] = []
    differences = [each.difference for each in services if each.difference]
    versions = [(each.look.seen, each.version) for each in services]
    holders = [each.holder for each in services if each.holder]
    for part in (log, store, database):
        looks += [part] if isinstance(part, Look) else part.looks
        if isinstance(part, _Answer):
            differences += part.differences
            versions += part.versions
            holders += part.holders
    looks += [each.look for each in services]
    every = [places.directory.path, *places.directory.path.glob("worker-*"), Path(places.worker.worker_data)]
    looks += [
        versions_judged(versions),
        clocks.judged(differences),
        keys.judged(holders),
        disks.judged(every, places.worker.worker_spool_bytes),
    ]
    return Report.of(looks)


class _Answer(Struct, frozen=True):
    looks: list[Look]
    differences: list[Difference] = []
    versions: list[tuple[str, str]] = []
    holders: list[keys.Holder] = []


async def _bounded(part: str, work: Awaitable[_Answer], remedy: str) -> _Answer | Look:
    try:
        return await asyncio.wait_for(work, LONGEST_S)
    except TimeoutError:
        return unanswered(part, part, f"it took longer than {LONGEST_S:g} s", remedy)
    except DcronError as error:
        return unanswered(part, part, str(error).partition(" (configured timeouts")[0], remedy)


async def _kafka(places: Places) -> _Answer:
    wanted = topics(places.tools)
    security = places.tools.kafka_security
    async with KafkaLog.open(places.tools.kafka, timeout_s=2 * ANSWER_S, security=security) as log:
        return _Answer([kafka.judged(await log.describe([topic.name for topic in wanted]), wanted)])


async def _etcd(places: Places, clock: Clock) -> _Answer:
    security = places.tools.etcd_security
    async with EtcdStore.open(places.tools.etcd, timeout_s=ANSWER_S, security=security) as store:
        looks = [
            etcd.judged(await store.describe(Keys(places.tools.etcd_prefix).projection), replicated=places.replicated)
        ]
        try:
            found = await workers.registered(store, Keys(places.tools.etcd_prefix), clock)
        except UnavailableError:
            if not looks[0].findings:
                raise
            found = Registered(Look(workers.PART, "etcd cannot be asked", known=False))
    return _Answer(
        [*looks, found.look],
        list(found.differences),
        [(f"worker {entry.worker_id}", entry.version) for entry in found.entries],
        [keys.Holder(f"worker {entry.worker_id}", "worker", entry.keys) for entry in found.entries],
    )


async def _mongodb(places: Places, clock: Clock) -> _Answer:
    tls = places.ingester.mongodb_security.tls
    async with open_store(places.ingester.mongodb, places.ingester.mongodb_database, tls) as store:
        database = await store.describe(clock)
    difference = [] if database.clock_difference is None else [Difference("MongoDB", database.clock_difference)]
    return _Answer([mongodb.judged(database, replicated=places.replicated)], difference)


async def _services(places: Places, clock: Clock) -> list[Seen]:
    """Ask a master and a log-ingester at the same time."""
    ingester = places.master.log_ingester_url
    if places.access is None:
        remedy = "set DCRON_URL and DCRON_TOKEN, or DCRON_DATA"
        unknown = Seen(Look("master", "not known where", (Finding("master", places.no_access, remedy),)))
        return [unknown, await seen_at("log-ingester", Access(ingester, ""), clock)]
    master = places.access
    other = Access(ingester, await token_for_others(master), master.ca)
    return list(await asyncio.gather(seen_at("master", master, clock), seen_at("log-ingester", other, clock)))
