"""G11 on the real server: what is asked for one namespace, for some, for very many, for none."""

from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import replace

from dcron_core.clock import SystemClock
from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.cursors import Cursor, parse_cursor
from dcron_log_ingester.lists import Lists
from dcron_log_ingester.store import EventFilter, ExecutionFilter, Store, open_store
from dcron_schemas.records import Execution
from tests.conftest import PrivateServers
from tests.unit.log_ingester.records import DUE, execution, finished, skipped, started

RETENTION = timedelta(days=36_500)  # the ticks are at one instant for ever; TTL must not take them
MANY = frozenset({"a", "b", *(f"other-{number}" for number in range(40))})
CASES: list[tuple[frozenset[str] | None, set[str]]] = [
    (None, {"a", "b", "c"}),
    (frozenset({"a"}), {"a"}),
    (frozenset({"a", "b"}), {"a", "b"}),
    (MANY, {"a", "b"}),
    (frozenset(), set()),
    (frozenset({"nowhere"}), set()),
]


def runs() -> Iterable[Execution]:
    """Thirty runs, each namespace's between the others'."""
    for number in range(30):
        yield replace(execution(number, f"job-{number % 3}"), namespace="abc"[number % 3])


async def stored(store: Store) -> None:
    await store.prepare()
    records = [record for run in runs() for record in (started(run), finished(run, 0))]
    await store.write(batch_of([*records, *(skipped(run) for run in runs())], RETENTION))
    documents = [
        {
            "_id": number, "namespace": space, "job_name": "n", "job_id": f"job-{number}", "hash": "h", "at": DUE,
            "kind": "JobCreated", "event_id": "e", "actor": "ada", "request_id": "r", "version_before": None,
            "version_after": 1, "changes": "[]", "outcome": "applied", "detail": "", "text": f"said in {space}",
        }
        for number, space in enumerate("abcabc")
    ]  # fmt: skip
    assert await store.events.insert(documents)


async def test_each_read_holds_what_is_in_sight_in_order_and_whole(private_servers: PrivateServers) -> None:
    async with open_store(private_servers("mongodb").mongodb, "dcron-test-narrowed") as store:
        await stored(store)
        for shown, seen in CASES:
            await check(store, shown, seen)


async def check(store: Store, shown: frozenset[str] | None, seen: set[str]) -> None:
    lists, paged = Lists(store, SystemClock()), list[str]()
    for statuses in ((), ("succeeded",), ("succeeded", "failed")):
        page = await lists.page(ExecutionFilter(namespaces=shown, statuses=statuses), None, 100)
        assert [run.due_at for run in page.executions] == sorted(
            (run.due_at for run in runs() if run.namespace in seen), reverse=True
        )
    cursor: Cursor | None = None
    while True:
        page = await lists.page(ExecutionFilter(namespaces=shown), cursor, 4)
        paged += [run.execution_id for run in page.executions]
        if page.next_cursor is None:
            break
        cursor = parse_cursor(page.next_cursor)
    assert paged == [run.execution_id for run in reversed(list(runs())) if run.namespace in seen]
    for number, space in enumerate("abc"):
        last = await lists.last(f"job-{number}", shown)
        assert (last is not None) is (space in seen)
        assert len(await lists.recent(f"job-{number}", 5, namespaces=shown)) == (5 if space in seen else 0)
    ticks = await store.skipped_ticks(
        ["job-0", "job-1", "job-2"], None, 100, start=None, end=None, namespaces=shown
    )  # fmt: skip
    assert {tick["namespace"] for tick in ticks} == seen
    end, hour = DUE + timedelta(hours=1), timedelta(hours=1)
    stats = await store.stats(ExecutionFilter(namespaces=shown), start=DUE, end=end, bucket=hour)
    assert ({job.namespace for job in stats.jobs}, stats.total.runs) == (seen, 10 * len(seen))
    for text in (None, "SAID IN"):
        events = await store.events.search(EventFilter(namespaces=shown, text=text), None, 100)
        assert [event.position for event in events] == [
            number for number in reversed(range(6)) if "abcabc"[number] in seen
        ]
