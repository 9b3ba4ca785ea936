"""Reads in etcd what workers say of themselves: their state, spools, releases, keys, and what their clocks say."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, suppress

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue, KeyValueStore, Range
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import ClockBeat, WorkerEntry
from dcron_standalone.doctor.clocks import Difference
from dcron_standalone.doctor.finding import Finding, Look

PART = "workers"
BEATS_WITHIN_S = 3.0  # a worker shows its clock every fifth of its lease's time: 2 s, unless the settings say otherwise


class Registered(Struct, frozen=True):
    """What etcd holds of workers and of the projection."""

    look: Look
    entries: tuple[WorkerEntry, ...] = ()
    differences: tuple[Difference, ...] = ()


async def registered(store: KeyValueStore, keys: Keys, clock: Clock) -> Registered:
    """Read it all. Raises StoreUnavailableError."""
    found = await store.read_prefix(keys.workers)
    findings: list[Finding] = []
    if await store.get(keys.projection) is None:
        what = f"etcd has no {keys.projection}: there is no job table that workers could go by"
        findings.append(Finding("etcd", what, "start a master, or `dcron log rebuild`; check DCRON_ETCD_PREFIX"))
    entries = []
    for item in found.items:
        try:
            entries.append(decode_state(WorkerEntry, item.value))
        except UndecodableError as error:
            what = f"etcd's {item.key} cannot be read: {error}"
            findings.append(Finding(PART, what, "it is of another release: upgrade this command, or the worker"))
    findings += _judged(entries)
    drained = sum(entry.state == "draining" for entry in entries)
    seen = f"{len(entries)} registered, {drained} draining"
    differences = await _differences(store, keys, found, clock) if entries else ()
    return Registered(Look(PART, seen, tuple(findings)), tuple(entries), differences)


def _judged(entries: list[WorkerEntry]) -> Iterator[Finding]:
    if not entries:
        yield Finding(PART, "no worker is registered: nobody claims ticks", "start one (`dcron worker`); see its log")
    elif all(entry.state != "active" for entry in entries):
        yield Finding(PART, "no worker is active: nobody claims ticks", "`dcron workers ls` says why; undrain one")
    for entry in entries:
        if entry.state == "clock_wrong":
            what = f"{entry.worker_id} ({entry.host}) claims nothing: its clock is {entry.clock_offset_ms or 0:+.0f} ms"
            yield Finding(PART, f"{what} from the others'", "let NTP set it")
        if entry.refused:
            what = f"{entry.worker_id} ({entry.host}) runs not all that stands in etcd: {entry.refused}"
            yield Finding(PART, what, "do the keys fit (below)? If so, somebody wrote into etcd: `dcron log verify`")
        if entry.spool:
            what = f"the spool of {entry.worker_id} ({entry.host}): {entry.spool}"
            yield Finding(PART, what, "make room on its disk; is Kafka reached from there?")


async def _differences(store: KeyValueStore, keys: Keys, found: Range, clock: Clock) -> tuple[Difference, ...]:
    """Wait for each worker's next beat, for a bounded time; it tells what its clock says as it arrives."""
    waiting = {item.key.removeprefix(keys.workers) for item in found.items}
    differences = []
    with suppress(TimeoutError):
        async with asyncio.timeout(BEATS_WITHIN_S), aclosing(store.watch(keys.clocks, found.revision + 1)) as changes:
            async for change in changes:
                for event in change.events:
                    worker_id = event.key.removeprefix(keys.clocks)
                    if isinstance(event, KeyValue) and worker_id in waiting:
                        at = decode_state(ClockBeat, event.value).at
                        differences.append(Difference(f"worker {worker_id}", clock.now() - at))
                        waiting.discard(worker_id)
                if not waiting:
                    break
    return tuple(differences)
