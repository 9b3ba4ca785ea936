"""The simulation can fail: a worker that is weakened in one place is found out within a few stories.

Each weakness takes away one thing that a guarantee rests on. If a change of the simulation makes it blind to one of
them, its green stories mean nothing any more.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from dcron_core.ports.store import ModRevisionIs, Transaction
from dcron_worker import claims
from dcron_worker.entries import Entries
from dcron_worker.runner import Runner
from tests.simulation.judging import problems_of
from tests.simulation.story import Story, Trouble, story_of
from tests.simulation.test_stories import ends_of_the_lost, pauses_of_holders
from tests.simulation.world import lived

Weaken = Callable[[pytest.MonkeyPatch], None]


def the_cursor_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    def only_the_job(keys, candidate, worker_id):  # type: ignore[no-untyped-def]
        return (ModRevisionIs(keys.job(candidate.entry.job_id), candidate.job_revision),)

    patch.setattr(claims, "_unchanged", only_the_job)


def the_job_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    def only_the_cursor(keys, candidate, worker_id):  # type: ignore[no-untyped-def]
        cursor = claims.cursor_key(keys, candidate.entry, worker_id)
        return (ModRevisionIs(cursor, candidate.cursor_revision),)

    patch.setattr(claims, "_unchanged", only_the_cursor)


def live_runs_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claims, "_no_overlap", lambda *_: ())


def a_run_goes_on_when_the_lease_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Runner, "stop_all", lambda *_, **__: None)


def a_held_run_starts_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    run = Runner.run

    class Trusting:
        trusted = True

    async def trusting(self, claimed, _session, *rest, **named):  # type: ignore[no-untyped-def]
        await run(self, claimed, Trusting(), *rest, **named)  # type: ignore[arg-type]

    patch.setattr(Runner, "run", trusting)


def an_entry_goes_before_kafka_has_its_record(patch: pytest.MonkeyPatch) -> None:
    async def at_once(self, execution_id):  # type: ignore[no-untyped-def]
        self._closed_in_etcd.add(execution_id)
        self._left_to_the_spool.add(execution_id)
        self._remove(execution_id)

    patch.setattr(Entries, "closed_in_etcd", at_once)


def an_end_is_written_without_its_fence(patch: pytest.MonkeyPatch) -> None:
    end_run = claims.end_run

    def unfenced(keys, execution, record, following=claims.NOTHING_FOLLOWS):  # type: ignore[no-untyped-def]
        fenced = end_run(keys, execution, record, following)
        return Transaction(fenced.compare[1:], fenced.success, fenced.failure)

    patch.setattr("dcron_worker.entries.end_run", unfenced)


def stories(kind: Trouble) -> Iterator[Story]:
    return (story_of(seed, workers, kind) for seed in range(1, 21) for workers in (3, 5))


@pytest.mark.parametrize(
    ("weaken", "told", "found"),
    [
        (the_cursor_is_not_compared, stories(Trouble.SKEW), "a cursor fell"),
        (the_job_is_not_compared, stories(Trouble.SLOW), "has no such tick"),
        (live_runs_are_not_compared, stories(Trouble.SKEW), "started while there was"),
        (a_run_goes_on_when_the_lease_is_lost, stories(Trouble.PARTITION), "started while there was"),
        (a_held_run_starts_without_a_lease, pauses_of_holders(), "started while there was"),
        (an_entry_goes_before_kafka_has_its_record, ends_of_the_lost(), "no end on record"),
        (an_end_is_written_without_its_fence, stories(Trouble.PAUSE), "claimed 2 times"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_weakened_worker_is_found_out(
    weaken: Weaken, told: Iterable[Story], found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """G4, G5, G6, G7: the validator of the right guarantee speaks up."""
    weaken(monkeypatch)
    others = []
    for number, story in enumerate(told):
        problems = problems_of(lived(story, tmp_path / str(number)))
        if any(found in problem for problem in problems):
            return
        others += problems
    pytest.fail(f"{weaken.__name__} was not found out; other problems: {others[:5]}")
