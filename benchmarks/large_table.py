"""A large crontab as months of use leave it in etcd: jobs of many kinds, nearly each with the cursor of a former tick.

It is written straight into etcd, because what is measured is a worker on such a table and not how it came about. Of
100,000 jobs about 700 are due in an hour.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from benchmarks.signed import signed_put
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.keys import Keys
from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry, TickCursor

KEYS = Keys()
AGE = timedelta(days=200)
PUTS_IN_A_TRANSACTION = 100
TRANSACTIONS_AT_A_TIME = 8
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/Sao_Paulo")


def crontab(count: int, now: datetime) -> list[JobEntry]:
    """Return jobs of all kinds, most of them due once a week or less."""
    return [_entry(number, _usual_spec(number, now), now) for number in range(count)]


def together(entries: Iterable[JobEntry], cron: str, argv: tuple[str, ...], now: datetime) -> list[JobEntry]:
    """Return these jobs as they are after an edit: all due at the same instants."""
    return [
        msgspec.structs.replace(
            entry,
            version=entry.version + 1,
            spec=_spec(entry.spec.name, {"schedule": {"cron": cron}, "run": {"argv": argv}}),
            anchor=now,
            updated_at=now,
        )
        for entry in entries
    ]


async def fill(address: str, entries: Iterable[JobEntry], consumed: datetime) -> None:
    """Write jobs into the etcd at `address`, with cursors that have consumed all ticks up to an instant."""
    puts: list[Put] = []
    for entry in entries:
        puts.append(signed_put(KEYS, KEYS.job(entry.job_id), encode(entry)))
        if entry.spec.schedule is not None:
            execution_id = f"{entry.job_id}.t{consumed.timestamp() * 1000:.0f}.1"
            cursor = TickCursor(tick=consumed, worker_id="worker-of-old-0198f5a0", execution_id=execution_id)
            puts.append(Put(KEYS.tick(entry.job_id), encode(cursor)))
    transactions = [
        Transaction((), tuple(puts[start : start + PUTS_IN_A_TRANSACTION]))
        for start in range(0, len(puts), PUTS_IN_A_TRANSACTION)
    ]
    async with EtcdStore.open(address) as store:
        for start in range(0, len(transactions), TRANSACTIONS_AT_A_TIME):
            some = transactions[start : start + TRANSACTIONS_AT_A_TIME]
            await asyncio.gather(*(store.transact(transaction) for transaction in some))


def _entry(number: int, spec: JobSpec, now: datetime) -> JobEntry:
    since = now - AGE + timedelta(seconds=number * 60 % AGE.total_seconds())
    return JobEntry(
        job_id=f"0198f5a0-{number % 0xFFFF:04x}-7000-8000-{number:012x}",
        version=1 + number % 3,
        spec=spec,
        anchor=since,
        position=number,
        created_at=since,
        updated_at=since,
        updated_by="token",
    )


def _usual_spec(number: int, now: datetime) -> JobSpec:
    tenant = f"tenant-{number // 20:05d}"
    fields = {
        "owner": f"team-{number % 40}",
        "description": f"Keeps the books of {tenant} in order, number {number}",
        "tags": (f"team-{number % 40}", "books"),
        "run": {"argv": ("/bin/true", "--tenant", tenant, "--part", str(number % 20), "--quiet")},
        "env": {"TENANT": tenant},
        "timeout": "1h",
        "retry": {"attempts": number % 4},
        "timezone": ZONES[number % len(ZONES)],
        **_when(number % 100, number, now),
    }
    return _spec(f"{tenant}-{number}", fields)


def _when(kind: int, number: int, now: datetime) -> dict[str, Any]:
    """Return what a job of one of a hundred kinds has to say about when it is due."""
    minute, hour, day, month = number * 7 % 60, number * 11 % 24, 1 + number * 13 % 28, 1 + number * 5 % 12
    if kind < 80:
        return {"schedule": {"cron": _cron(kind, f"{minute} {hour}", day, month)}, "enabled": kind != 9}
    if kind < 90:
        return {"schedule": {"every": f"{7 + number % 30}d"}}
    if kind < 95:
        return {"schedule": {"at": (now + timedelta(days=1 + number % 300)).isoformat()}}
    if kind < 97:
        return {"schedule": {"cron": f"{minute} {hour} {day} * *"}, "exclude": ("weekends",)}
    return {}  # on request


def _cron(kind: int, time: str, day: int, month: int) -> str:
    if kind < 10:
        return f"{time} * * *"
    if kind < 40:
        return f"{time} * * {day % 7}"
    if kind < 60:
        return f"{time} {day} * *"
    if kind < 65:
        return f"{time} LW * *"
    if kind < 70:
        return "H H * * H"
    if kind < 75:
        return f"{time} {day} {month} *"
    return f"{time} * {month} {day % 7}#2"


def _spec(name: str, fields: dict[str, Any]) -> JobSpec:
    return msgspec.convert({"name": name, "namespace": "books", **fields}, JobSpec)


def instant() -> datetime:
    """Return now, to the millisecond."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
