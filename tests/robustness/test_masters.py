"""Three masters that die all the time, eight clients, and then one validator for each guarantee.

`make test` runs it for a short while, `make robustness` for long. The seed is printed; give it back as
`DCRON_TEST_SEED` to see the same commands and kills again (not the same deaths at failpoints).
"""

import asyncio
import json
import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from dcron_core.access.fixed_tokens import BOOTSTRAP
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.job_log import JobLog
from dcron_core.keys import Keys
from dcron_core.ports.store import Changes, KeyValue, Removed
from dcron_schemas.codec import encode
from dcron_standalone.supervision import Supervised
from tests.cluster import TOKEN, Cluster, wait_until
from tests.command_clients import Clients
from tests.naive_fold import NaiveFold
from tests.signing_keys import PUBLIC_KEY
from tests.validators import acknowledged_commands_are_in_the_log, histories_are_linearizable
from tests.witness import Witness

CLIENTS = 8
NAMES = 30
FAILPOINTS = {
    "command.before_append": 0.01,
    "command.appended": 0.02,
    "command.before_answer": 0.02,
    "projector.before_write": 0.005,
    "projector.written": 0.005,
}
KILL_EVERY_S = 4.0  # on the average, beside the failpoints


@dataclass
class Deaths:
    """Kills masters at random, and starts those again that have died, of that or at a failpoint."""

    masters: list[Supervised]
    dice: random.Random
    count: Counter[str] = field(default_factory=Counter)

    async def go_on(self) -> None:
        loop = asyncio.get_running_loop()
        strike_at = loop.time() + KILL_EVERY_S
        while True:
            await asyncio.sleep(0.05)  # a process that ends gives no other signal
            if loop.time() > strike_at:
                strike_at = loop.time() + self.dice.uniform(0.0, 2 * KILL_EVERY_S)
                victim = self.dice.choice(self.masters)
                if victim.child is not None and victim.child.exit_code is None:
                    victim.child.kill()
            for master in self.masters:
                if master.child is not None and master.child.exit_code is not None:
                    self.count[master.name] += 1
                    master.start()


async def watched(store: EtcdStore, prefix: str, from_revision: int, seen: list[Changes]) -> None:
    """Write down all that happens under the prefix, as it happens."""
    async for changes in store.watch(prefix, from_revision):
        seen += [changes]


def revisions(seen: list[Changes]) -> list[list[KeyValue | Removed]]:
    """Return what happened at each revision."""
    found: dict[int, list[KeyValue | Removed]] = {}
    for changes in seen:
        for event in changes.events:
            found.setdefault(event.mod_revision, []).append(event)
    return [found[revision] for revision in sorted(found)]


@pytest.mark.parametrize("commands", [320, pytest.param(2_000, marks=pytest.mark.robustness)], ids=["short", "long"])
async def test_masters_that_die_lose_no_command_and_double_none(cluster: Cluster, commands: int) -> None:
    """G1, G2, G3, and that what clients saw of each job could have happened one after the other."""
    seed = int(os.environ.get("DCRON_TEST_SEED", random.SystemRandom().randrange(10_000)))
    print(f"seed {seed}")  # shown when the test fails
    armed = ",".join(f"{name}={probability}" for name, probability in FAILPOINTS.items())
    keys, seen = Keys(cluster.names.etcd_prefix), list[Changes]()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(EtcdStore.open(cluster.servers.etcd))
        log = await stack.enter_async_context(KafkaLog.open(cluster.servers.kafka))
        start = (await store.read_prefix(keys.prefix)).revision + 1
        masters = [cluster.add("master", "DCRON_MASTER_PORT", DCRON_FAILPOINTS=armed) for _ in range(3)]
        deaths = Deaths(masters, random.Random(seed))
        clients = Clients([await stack.enter_async_context(client_of(master)) for master in masters], NAMES, seed)
        watching = asyncio.create_task(watched(store, keys.prefix, start, seen))
        dying = asyncio.create_task(deaths.go_on())
        await clients.run(CLIENTS, commands)
        dying.cancel()
        for master in masters:
            await asyncio.to_thread(revived, master)
        job_log = JobLog(log, f"{cluster.names.topic_prefix}job-events")
        end = (await job_log.bounds()).end
        values = [record.value async for records in job_log.read(0, end) for record in records]
        last = await store.get(keys.projection)
        while last is not None and (not seen or seen[-1].revision < last.mod_revision):
            await asyncio.sleep(0.05)
        watching.cancel()
        replay = await job_log.replayed(end)
    print(
        f"{clients.tries} tries, deaths {dict(deaths.count)}, {len(values)} records, {len(revisions(seen))} revisions"
    )
    naive = NaiveFold.of(values)
    witness = Witness(naive, keys, PUBLIC_KEY)
    for events in revisions(seen):
        witness.see(events)
    assert clients.unexpected == []
    assert len(clients.sent) == commands
    assert acknowledged_commands_are_in_the_log(clients.sent, naive, BOOTSTRAP.name) == []
    assert witness.problems == []
    assert witness.position == end - 1
    assert {job.job_id: json.loads(encode(job)) for job in replay.table.entries()} == witness.jobs
    assert histories_are_linearizable(clients.sent) == []
    assert deaths.count.total() >= commands // 80, "too few deaths to show anything"


def client_of(master: Supervised) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(base_url=master.url, headers=headers, timeout=15.0, trust_env=False)


def revived(master: Supervised) -> None:
    """Wait until a master is ready, however often it dies before."""

    def ready() -> bool:
        if master.child is not None and master.child.exit_code is not None:
            master.start()
        return master.is_ready()

    wait_until(ready, f"{master.name} to be ready", master.last_words)
