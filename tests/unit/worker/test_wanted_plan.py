"""Wanted runs are looked at when they are due; of a queue of ticks only the first is."""

from datetime import datetime

from dcron_schemas.state import RunWanted
from dcron_worker.wanted_plan import Wanted, WantedPlan
from tests.unit.worker.candidates import at


def run(name: str, *, job: str = "job", tick: float | None = None, not_before: float | None = None) -> RunWanted:
    due = tick if tick is not None else not_before
    return RunWanted(
        execution_id=f"{job}.{name}.1", job_id=job, trigger="request" if tick is None else "tick", requested_at=at(0),
        requested_by="ada", not_before=None if due is None else at(due),
    )  # fmt: skip


def ready(plan: WantedPlan, now: datetime) -> list[str]:
    return [wanted.run.execution_id.split(".")[1] for wanted in plan.ready(now)]


def test_a_request_is_looked_at_at_once_and_a_retry_when_its_backoff_is_over() -> None:
    plan = WantedPlan()
    plan.stands(run("retry", not_before=10), 1)
    plan.stands(run("asked"), 2)
    assert ready(plan, at(0)) == ["asked"]
    assert plan.next_look() == at(10)
    assert ready(plan, at(10)) == ["retry"]
    assert (ready(plan, at(99)), plan.next_look(), len(plan)) == ([], None, 2)


def test_of_a_queue_the_first_tick_is_looked_at_and_the_next_one_when_it_is_gone() -> None:
    """G5: in the order of the ticks, however they arrive."""
    plan = WantedPlan()
    for number in (3, 1, 2):
        plan.stands(run(f"t{number}", tick=number), number)
    assert plan.queue("job") == ["job.t1.1", "job.t2.1", "job.t3.1"]
    order = []
    while names := ready(plan, at(50)):
        order += names
        plan.gone(f"job.{names[-1]}.1")
    assert order == ["t1", "t2", "t3"]
    assert plan.queue("job") == []


def test_queues_of_other_jobs_and_requests_do_not_wait_for_it() -> None:
    plan = WantedPlan()
    for each in (run("t1", tick=1), run("t2", tick=2), run("t5", job="other", tick=5), run("asked")):
        plan.stands(each, 1)
    assert sorted(ready(plan, at(50))) == ["asked", "t1", "t5"]


def first(plan: WantedPlan, now: datetime) -> Wanted:
    (wanted,) = plan.ready(now)
    return wanted


def test_a_run_that_was_written_anew_is_another() -> None:
    plan = WantedPlan()
    plan.stands(run("asked"), 1)
    old = first(plan, at(0))
    plan.stands(run("asked"), 2)
    assert not plan.is_current(old)
    plan.look_again(old, at(1))
    assert first(plan, at(5)).revision == 2
    assert plan.next_look() is None


def test_what_waits_for_another_look_is_woken_and_nothing_else() -> None:
    """Not what is not due yet, nor what is being claimed."""
    plan = WantedPlan()
    plan.stands(run("asked"), 1)
    plan.stands(run("retry", not_before=100), 1)
    asked = first(plan, at(0))
    plan.wake("job")
    assert ready(plan, at(0)) == []
    plan.look_again(asked, at(60))
    plan.wake("job")
    plan.wake("job")
    assert ready(plan, at(1)) == ["asked"]
    assert plan.next_look() == at(100)


def test_what_is_gone_is_never_looked_at() -> None:
    plan = WantedPlan()
    plan.stands(run("asked"), 1)
    wanted = first(plan, at(0))
    plan.look_again(wanted, at(3))
    plan.gone("job.asked.1")
    plan.gone("job.asked.1")
    plan.look_again(wanted, at(4))
    plan.wake("job")
    assert (ready(plan, at(9)), len(plan)) == ([], 0)
