"""Short stories that were wrong once: each failed before the projector or the table was mended."""

from collections.abc import Iterator

import pytest

from dcron_core.jobs import table as table_module
from dcron_master import pending as pending_module
from dcron_master import projector as projector_module
from dcron_schemas.events import EventData, JobCreated, JobDeleted, KillRequested
from dcron_schemas.job import JobSpec, Run
from tests.services import KEYS
from tests.stateful.connections import LATE_S, Fault
from tests.stateful.projection_world import World, event, skip_of

WINDOW = 4
CREATED = JobCreated(JobSpec(name="a", run=Run(shell="true")))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One master, on a log that it has opened; two operations make a transaction."""
    for module in (table_module, projector_module):
        monkeypatch.setattr(module, "REPETITION_WINDOW", WINDOW)
    monkeypatch.setattr(pending_module, "MOST_OPERATIONS", 2)
    world = World(WINDOW)
    world.start_master()
    world.loop.settle()
    yield world
    world.close()


def say(world: World, *told: tuple[str, EventData]) -> None:
    """Append events of `job-1` with the given ids."""
    for event_id, data in told:
        world.say(event(event_id, "job-1", data))


def agree(world: World) -> None:
    """Let some time pass; then all is well, and everything is projected by everybody."""
    world.loop.advance(LATE_S + 20)
    assert world.problems() == []
    assert world.witness.position == world.naive.end - 1
    for master in world.masters:
        assert master.projector.projected == world.naive.end - 1


def test_a_master_that_others_have_left_behind_does_not_set_the_position_back(world: World) -> None:
    """G2, G3: it lost the comparison to one that was far ahead, and then folded what lies between."""
    slow = world.masters[0]
    world.start_master()
    slow.log.most = 1
    world.loop.advance(2)  # the next look at the log is for one record
    slow.store.gate.clear()
    say(world, *((f"event-{number}", CREATED if number % 2 else JobDeleted()) for number in range(9)))
    world.loop.settle()
    slow.store.gate.set()
    agree(world)


def test_a_kill_whose_lease_ended_before_it_was_written_is_written_under_another(world: World) -> None:
    """G2: a master that stood still for longer than the lease goes on; it does not end."""
    say(world, ("created", CREATED))
    world.loop.settle()
    world.masters[0].store.faults.append(Fault.LATE)
    say(world, ("kill", KillRequested("job-1.t0.1")))
    world.loop.advance(LATE_S + 1)
    assert f"{KEYS.kills}job-1.t0.1" in world.stored()
    agree(world)


def test_a_record_that_is_stepped_over_counts_in_the_window_of_repetitions(world: World) -> None:
    """G3: a master that was there decides like one that starts after it."""
    say(world, ("same", CREATED), *((f"deleted-{number}", JobDeleted()) for number in range(WINDOW - 1)))
    unreadable = world.append(b"not json")
    say(world, ("same", CREATED))  # one too far from the first to be a repetition
    world.say(event("skip", "", skip_of(unreadable, b"not json")))
    agree(world)
    assert list(world.witness.jobs) == ["job-1"]


def test_records_that_are_delivered_again_change_nothing(world: World) -> None:
    """G2."""
    say(world, *((f"event-{number}", CREATED) for number in range(WINDOW + 1)))
    world.loop.settle()
    world.masters[0].log.again = WINDOW
    world.loop.advance(2)
    say(world, *((f"later-{number}", JobDeleted()) for number in range(WINDOW + 1)))
    agree(world)
