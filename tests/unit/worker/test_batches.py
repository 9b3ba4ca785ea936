"""Transactions share calls, and each keeps its own outcome, whatever happens to the others."""

import asyncio
from collections.abc import Sequence

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.errors import LeaseLostError, StoreUnavailableError
from dcron_core.ports.store import Delete, Get, ModRevisionIs, Put, Transaction, TransactionResult
from dcron_worker import batches as batches_module
from dcron_worker.batches import CALLS_AT_A_TIME, FULL, MOST_IN_A_CALL, PATIENCE_S, TransactionBatches


class WatchedStore(MemoryStore):
    """Keeps what each call carried; answers wait for `gate`, and may be lost on the way back."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.calls: list[list[Transaction]] = []
        self.under_way = self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers_to_lose = 0

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        self.calls.append(list(transactions))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            results = await super().transact_all(transactions)
        finally:
            self.under_way -= 1
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise StoreUnavailableError("the answer was lost")
        return results


def create(key: str, *, lease: int = 0) -> Transaction:
    """Write a key unless it exists; if it does, read it."""
    return Transaction((ModRevisionIs(key, 0),), (Put(key, b"1", lease),), (Get(key),))


@pytest.fixture
async def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def batches(store: WatchedStore) -> TransactionBatches:
    return TransactionBatches(store)


async def test_what_is_submitted_at_once_goes_in_one_call(store: WatchedStore, batches: TransactionBatches) -> None:
    results = await asyncio.gather(*(batches.transact(create(f"k{n}")) for n in range(50)))
    assert [len(call) for call in store.calls] == [50]
    assert len({result.revision for result in results}) == 50


async def test_each_has_its_own_outcome(store: WatchedStore, batches: TransactionBatches) -> None:
    await store.transact(create("k1"))
    results = await asyncio.gather(*(batches.transact(create(f"k{n}")) for n in range(3)))
    assert [result.succeeded for result in results] == [True, False, True]
    assert [item.key for read in results[1].reads for item in read] == ["k1"]


async def test_a_call_carries_no_more_than_its_most(store: WatchedStore, batches: TransactionBatches) -> None:
    await asyncio.gather(*(batches.transact(create(f"k{n}")) for n in range(2 * MOST_IN_A_CALL + 1)))
    assert [len(call) for call in store.calls] == [MOST_IN_A_CALL, MOST_IN_A_CALL, 1]


async def test_two_that_write_one_key_never_share_a_call(store: WatchedStore, batches: TransactionBatches) -> None:
    """The port refuses it; one of them wins all the same, in the order of submission."""
    rivals = [create("same"), create("other"), create("same"), Transaction((), (Delete("same"),))]
    results = await asyncio.gather(*map(batches.transact, rivals))
    assert [result.succeeded for result in results] == [True, True, False, True]
    assert [[rivals.index(transaction) for transaction in call] for call in store.calls] == [[0, 1], [0], [3]]
    assert await store.get("same") is None


async def test_calls_under_way_are_bounded_and_what_waits_goes_together(
    store: WatchedStore, batches: TransactionBatches
) -> None:
    store.gate.clear()
    waiting = []
    for n in range(CALLS_AT_A_TIME + 20):
        waiting.append(asyncio.create_task(batches.transact(create(f"k{n}"))))
        while len(store.calls) < min(n + 1, CALLS_AT_A_TIME):
            await asyncio.sleep(0)
    store.gate.set()
    assert all(result.succeeded for result in await asyncio.gather(*waiting))
    assert store.most_under_way == CALLS_AT_A_TIME
    assert [len(call) for call in store.calls] == [1] * CALLS_AT_A_TIME + [20]


async def test_a_store_that_does_not_answer_fails_all_in_the_call_and_none_after_it(
    store: WatchedStore, batches: TransactionBatches
) -> None:
    store.down = True
    outcomes = await asyncio.gather(*(batches.transact(create(f"k{n}")) for n in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 3
    store.down = False
    assert (await batches.transact(create("k0"))).succeeded


async def test_until_answered_tries_on_until_the_store_is_back(
    store: WatchedStore, batches: TransactionBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "FIRST_DELAY_S", 0.001)
    store.down = True
    task = asyncio.create_task(batches.until_answered(create("k"), "claim"))
    while len(store.calls) < 3:
        await asyncio.sleep(0.001)
    store.down = False
    assert (await task).succeeded


async def test_a_try_whose_answer_was_lost_is_found_by_the_next(
    store: WatchedStore, batches: TransactionBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G4: it is not done twice; the caller reads its own write."""
    monkeypatch.setattr(batches_module, "FIRST_DELAY_S", 0.001)
    store.answers_to_lose = 1
    result = await batches.until_answered(create("k"), "claim")
    assert not result.succeeded
    assert [item.value for read in result.reads for item in read] == [b"1"]


async def test_a_lease_that_is_gone_costs_only_those_who_write_under_it(
    store: WatchedStore, batches: TransactionBatches
) -> None:
    gone, alive = await store.grant_lease(60), await store.grant_lease(60)
    await store.revoke_lease(gone)
    outcomes = await asyncio.gather(
        *(batches.until_answered(create(f"k{n}", lease=lease), "claim") for n, lease in enumerate((alive, gone, 0))),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], LeaseLostError)
    assert await store.get("k1") is None
    for n in (0, 2):  # the first try may have done it: then its own write is found
        assert isinstance(outcomes[n], TransactionResult)
        assert await store.get(f"k{n}") is not None


async def test_one_who_stops_waiting_disturbs_nobody(store: WatchedStore, batches: TransactionBatches) -> None:
    store.gate.clear()
    tasks = [asyncio.create_task(batches.transact(create(f"k{n}"))) for n in range(3)]
    while not store.calls:
        await asyncio.sleep(0)
    tasks[1].cancel()
    store.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert [getattr(outcomes[n], "succeeded", None) for n in (0, 2)] == [True, True]


async def test_what_is_patient_goes_at_once_and_then_in_company(
    store: WatchedStore, batches: TransactionBatches
) -> None:
    """Ends of runs cost few calls, and the first of them no time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await batches.transact(create("first"), patient=True)
    assert loop.time() - began < PATIENCE_S
    rest = []
    for number in range(10):
        rest.append(asyncio.create_task(batches.transact(create(f"k{number}"), patient=True)))
        await asyncio.sleep(0)
    await asyncio.gather(*rest)
    assert [len(call) for call in store.calls] == [1, 10]
    assert loop.time() - began >= PATIENCE_S


async def test_what_is_patient_goes_with_what_is_not(store: WatchedStore, batches: TransactionBatches) -> None:
    await batches.transact(create("first"))
    patient = asyncio.create_task(batches.transact(create("patient"), patient=True))
    await asyncio.sleep(0)
    await batches.transact(create("urgent"))
    assert patient.done() or (await patient).succeeded
    assert [len(call) for call in store.calls] == [1, 2]


async def test_patience_ends_when_a_call_is_full(store: WatchedStore, batches: TransactionBatches) -> None:
    await batches.transact(create("first"))
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(batches.transact(create(f"k{number}"), patient=True) for number in range(FULL)))
    assert asyncio.get_running_loop().time() - began < PATIENCE_S
    assert [len(call) for call in store.calls] == [1, FULL]
