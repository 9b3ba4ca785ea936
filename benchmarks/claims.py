"""How many claims a second one worker makes: 1,000 ticks due at once, through its batches, to etcd.

From the planner's ticks to the cursors that stand, with all that a claim compares and writes; as a worker makes
them, without what follows: the runs.

The limit is bare: the same transactions of other jobs, packed into etcd's messages beforehand, as many to a call
and as many calls at a time, sent to the same etcd. The two take turns.
"""

import asyncio
import time
from typing import Any

import grpc.aio
from etcd3 import etcdrpc

from benchmarks.due_jobs import WORKER_ID, DueJobs
from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import running_servers
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.etcd.packing import packed
from dcron_core.adapters.etcd.translation import pack_request
from dcron_core.ports.store import KeyValueStore, Transaction
from dcron_standalone.terminal import say
from dcron_worker.batches import CALLS_AT_A_TIME, TransactionBatches
from dcron_worker.claims import claim_tick, execution_of_tick
from dcron_worker.planner import Candidate

DUE = 1000  # at once
ROUNDS = 15
WARM_UP_ROUNDS = 2
LEASE_S = 600


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every claim is won."""
    ours: list[float] = []
    bare: list[float] = []
    with running_servers("etcd") as servers:
        say(f"{ROUNDS} rounds of {DUE} claims each way, after {WARM_UP_ROUNDS} to warm up")
        async with EtcdStore.open(servers.etcd) as store, grpc.aio.insecure_channel(servers.etcd) as channel:
            lease = await store.grant_lease(LEASE_S)
            jobs, bare_jobs = DueJobs(store, "/ours/", DUE), DueJobs(store, "/bare/", DUE)
            await jobs.create()
            await bare_jobs.create()
            for _ in range(WARM_UP_ROUNDS + ROUNDS):
                bare.append(DUE / await _sent_bare(channel, bare_jobs, lease))
                ours.append(DUE / await _claimed(store, jobs, lease))
    value, limit = (percentile(each[WARM_UP_ROUNDS:], 0.5) for each in (ours, bare))
    return [result("claims", "1/s", value, limit, "no goal of its own", met=True)]


async def _claimed(store: KeyValueStore, jobs: DueJobs, lease: int) -> float:
    """Claim what is due as a worker does; return how many seconds that took."""
    transactions = TransactionBatches(store)

    async def claim(candidate: Candidate) -> None:
        transaction = _claim(jobs, candidate, lease)
        claimed = await transactions.until_answered(transaction, "claim")
        _won(claimed)
        jobs.planner.cursor_stands(candidate.entry.job_id, candidate.tick, claimed.revision)

    began_s = time.perf_counter()
    await asyncio.gather(*(claim(candidate) for candidate in jobs.due()))
    took_s = time.perf_counter() - began_s
    await jobs.end_all()
    return took_s


async def _sent_bare(channel: grpc.aio.Channel, jobs: DueJobs, lease: int) -> float:
    """Claim what is due with messages that are ready; return how many seconds their way took."""
    candidates = jobs.due()
    packs = packed([_claim(jobs, candidate, lease) for candidate in candidates])
    left = [pack_request(pack.transactions) for pack in packs]
    answers: list[Any] = [None] * len(left)
    waiting = iter(range(len(left)))
    keys = etcdrpc.KVStub(channel)

    async def caller() -> None:
        for number in waiting:
            answers[number] = await keys.Txn(left[number])

    began_s = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLS_AT_A_TIME)))
    took_s = time.perf_counter() - began_s
    revisions = [answer.header.revision for answer in answers for part in answer.responses if _won(part.response_txn)]
    for candidate, revision in zip(candidates, revisions, strict=True):
        jobs.planner.cursor_stands(candidate.entry.job_id, candidate.tick, revision)
    await jobs.end_all()
    return took_s


def _claim(jobs: DueJobs, candidate: Candidate, lease: int) -> Transaction:
    execution = execution_of_tick(candidate, WORKER_ID, candidate.tick)
    return claim_tick(jobs.keys, candidate, execution, lease)


def _won(claim: Any) -> bool:
    if not claim.succeeded:
        raise BenchmarkError("a claim was lost, and there is nobody to lose it to")
    return True
