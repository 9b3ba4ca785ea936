"""Stories with an end that is known: what random ones found once, told so that it happens every time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dcron_core.access.signing import Signatures
from dcron_core.follow_ups import put_confirmed
from dcron_core.ports.store import Delete, Put
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.events import JobCreated
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.state import ActiveRun, RunWanted, TickCursor, WorkerEntry
from dcron_worker.line import place_in_line
from tests.services import KEYS
from tests.signing_keys import WORKERS_KEYS
from tests.simulation.judging import problems_of
from tests.simulation.machines import Program
from tests.simulation.story import LEASE_S, Edit, Story, Strike, Trouble
from tests.simulation.world import World, lived
from tests.virtual_time import BEGINNING

END_S = 20.0


def job(program: Program, period: str = "2s", **fields: Any) -> Edit:
    """A job whose ticks are at even seconds after its creation, one tenth after the beginning."""
    end = BEGINNING + timedelta(seconds=END_S)
    spec = JobSpec(name="job", run=Run(argv=program.argv), schedule=Schedule(every=period), end=end, **fields)
    return Edit(0.2, "job", JobCreated(spec))


def story(edit: Edit, *strikes: Strike, workers: int = 2, **settings: str) -> Story:
    skews = (0.0,) * workers
    return Story(1, Trouble.MIXED, skews, {"lease_ttl": f"{LEASE_S}s", **settings}, (edit,), strikes, ())


@contextmanager
def living(data: Path, edit: Edit, *, workers: int = 2, **settings: str) -> Iterator[World]:
    world = World(story(edit, workers=workers, **settings), data)
    with world.begun():
        yield world


def pauses_of_holders() -> list[Story]:
    """A run is claimed and held by the one worker or the other; both stand still in turn, for longer than a lease."""
    edit = job(Program(1.5, 1.5, 0.0))
    return [story(edit, Strike(4.0, Trouble.PAUSE, whom, LEASE_S + 1.7)) for whom in (0, 1)]


def ends_of_the_lost() -> list[Story]:
    """A worker ends runs while it cannot reach Kafka, and then it is gone with its disk."""
    cut, gone = (False, True), float("inf")
    strikes = [Strike(3.0, Trouble.PARTITION, 1, 30.0, off=cut), Strike(12.0, Trouble.CRASH, 1, gone)]
    return [story(job(Program(0.1, 0.3, 0.5), "1s"), *strikes)]


@pytest.mark.parametrize("lived_through", [*pauses_of_holders(), *ends_of_the_lost()])
def test_it_ends_well(tmp_path: Path, lived_through: Story) -> None:
    """G5, G6, G7: stories that weaknesses are shown with (`test_mutations.py`)."""
    history = lived(lived_through, tmp_path)
    assert not problems_of(history)


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_a_worker_that_stood_still_while_it_held_a_run_does_not_start_it(tmp_path: Path, overlap: str) -> None:
    """G7: when it goes on, its lease has ended, and the next run is alive elsewhere."""
    with living(tmp_path, job(Program(1.5, 1.5, 0.0), overlap=overlap)) as world:
        world.loop.advance(4.0)  # the run at 4.2 is claimed, and held
        [held] = world.store.under(KEYS.active_of("job"))
        whom = world.services[int(decode_state(ActiveRun, held.value).worker_id.removeprefix("w"))]
        whom.stand_still()
        world.loop.advance(LEASE_S)
        while all(each.ended_s is not None for each in world.machines.seen):
            world.loop.advance(0.1)
        whom.go_on()
        history = world.come_to_rest()
    assert held.key.rpartition("/")[2] not in {each.execution_id for each in history.processes}
    assert not problems_of(history)


def test_a_worker_that_stood_still_before_it_registered_begins_a_new_session(tmp_path: Path) -> None:
    """G5: its lease has ended when it goes on; it does not end with it."""
    with living(tmp_path, job(Program(0.1, 0.1, 0.0)), workers=1) as world:
        [worker, *_] = world.services
        while not world.store.leases:
            world.loop.advance(0.001)
        worker.stand_still()
        world.loop.advance(LEASE_S + 1.0)
        assert not world.store.under(KEYS.workers)
        worker.go_on()
        world.loop.advance(1.0)
        assert world.store.under(KEYS.workers)
        history = world.come_to_rest()
    assert not problems_of(history)


def test_a_tick_that_waited_is_not_started_by_both_claimers_of_a_worker(tmp_path: Path) -> None:
    """G4: the worker claims it from `runs/`, and does not know yet that the cursor has moved past it."""
    edit = job(Program(1.0, 1.0, 0.0), overlap="queue")
    with living(tmp_path, edit, workers=1, claim_stagger="1s") as world:
        world.loop.advance(1.0)
        tick = BEGINNING + timedelta(seconds=2.2)
        name = f"job.t{int(tick.timestamp() * 1000)}.1"
        ghost = next(
            each
            for each in (f"ghost-{number}" for number in range(1000))
            if place_in_line("w0", ["w0", each], f"job {tick.isoformat()}") == 1
            and place_in_line("w0", ["w0", each], name) == 0
        )
        [registration] = world.store.under(KEYS.workers)
        world.store.do(
            Put(KEYS.worker(ghost), encode(replace(decode_state(WorkerEntry, registration.value), worker_id=ghost)))
        )
        world.loop.advance(0.5)
        world.services[0].link.break_off_watch(KEYS.ticks)
        world.loop.advance(0.8)
        cursor = TickCursor(tick=tick, worker_id=ghost, execution_id=name)
        run = RunWanted(
            execution_id=name, job_id="job", trigger="tick", requested_at=tick, requested_by=ghost, not_before=tick
        )
        world.store.do(Put(KEYS.tick("job"), encode(cursor)), put_confirmed(KEYS, run, Signatures(**WORKERS_KEYS)))
        world.loop.advance(1.5)  # it runs, and the tick is looked at once more
        started = [each for each in world.machines.seen if each.execution_id == name]
        world.services[0].link.heal_watches()
        world.store.do(Delete(KEYS.worker(ghost)))
        history = world.come_to_rest()
    assert len(started) == 1
    assert not problems_of(history)
