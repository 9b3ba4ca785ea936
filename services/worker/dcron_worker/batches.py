"""Transactions that are under way at the same time share calls to etcd (design §5, "Claim in batches").

What nobody waits for in a hurry, such as the ends of runs, waits for company: the first goes at once, and then
there is a call every PATIENCE_S, or as soon as a call is full, or with the next call that is in a hurry.
"""

import asyncio
from collections.abc import Callable

from dcron_core.errors import LeaseLostError, StoreUnavailableError
from dcron_core.lifecycle import retrying
from dcron_core.ports.store import Delete, KeyValueStore, Put, Transaction, TransactionResult

CALLS_AT_A_TIME = 4
MOST_IN_A_CALL = 200
FULL = 40  # patient transactions that are worth a call: etcd takes so many in one
PATIENCE_S = 0.05
FIRST_DELAY_S = 0.1
MOST_DELAY_S = 2.0

_WRITES = (Put, Delete)
_Waiting = tuple[Transaction, asyncio.Future[TransactionResult]]


class TransactionBatches:
    """Gathers what is submitted while calls are under way; each transaction has its own outcome."""

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._patient: list[_Waiting] = []
        self._patience: asyncio.TimerHandle | None = None
        self._last_call_at = float("-inf")  # on the loop's clock
        self._calls: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def until_answered(
        self,
        transaction: Transaction,
        what: str,
        *,
        patient: bool = False,
        doubt: Callable[[str], None] = lambda _: None,
    ) -> TransactionResult:
        """Do one transaction again and again until the store answers. `doubt` is told of each try that is not answered.

        A first try whose answer was lost may have succeeded; then the comparisons of the next one fail, and the
        caller finds its own writes. Or it is still on its way, and takes effect after the answer to a later one: a
        caller to whom that matters is told of the doubt. Raises LeaseLostError.
        """
        return await retrying(
            lambda: self.transact(transaction, patient=patient),
            on=StoreUnavailableError,
            what=what,
            first_delay_s=FIRST_DELAY_S,
            most_delay_s=MOST_DELAY_S,
            tell=doubt,
        )

    async def transact(self, transaction: Transaction, *, patient: bool = False) -> TransactionResult:
        """Do one transaction, in company; with `patient` it may wait PATIENCE_S for that.

        Raises StoreUnavailableError: then it may have happened or not; LeaseLostError: it did not, because a
        lease that it writes under is gone.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[TransactionResult] = loop.create_future()
        if patient:
            self._patient.append((transaction, future))
            patience_s = self._last_call_at + PATIENCE_S - loop.time()
            if patience_s > 0 and len(self._patient) < FULL:
                self._patience = self._patience or loop.call_later(patience_s, self._begin_calls)
                return await future
        else:
            self._waiting.append((transaction, future))
        if not self._scheduled:  # everything that is submitted in this turn of the loop goes together
            self._scheduled = True
            loop.call_soon(self._begin_calls)
        return await future

    def _begin_calls(self) -> None:
        self._scheduled = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._waiting += self._patient
        self._patient.clear()
        while self._waiting and len(self._calls) < CALLS_AT_A_TIME:
            self._last_call_at = asyncio.get_running_loop().time()
            call = asyncio.create_task(self._call(self._take()))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._waiting:
            self._begin_calls()

    def _take(self) -> list[_Waiting]:
        """Take transactions that write no key twice; the others wait for the next call."""
        written: set[str] = set()
        taken: list[_Waiting] = []
        left: list[_Waiting] = []
        for item in self._waiting:
            keys = {op.key for op in (*item[0].success, *item[0].failure) if isinstance(op, _WRITES)}
            if len(taken) < MOST_IN_A_CALL and written.isdisjoint(keys):
                written |= keys
                taken.append(item)
            else:
                left.append(item)
        self._waiting = left
        return taken

    async def _call(self, batch: list[_Waiting]) -> None:
        transactions = [transaction for transaction, _ in batch]
        outcome = (await asyncio.gather(self._store.transact_all(transactions), return_exceptions=True))[0]
        if isinstance(outcome, LeaseLostError) and len(batch) > 1:
            # One of them wrote under a lease that is gone, and took the others with it.
            for item in batch:
                await self._call([item])
            return
        for place, (_, future) in enumerate(batch):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome[place])
