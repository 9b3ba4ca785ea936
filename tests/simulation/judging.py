"""What the validators say of a history."""

from collections.abc import Iterator

from dcron_core.ports.store import KeyValue
from dcron_schemas.events import JobCreated
from tests import run_validators
from tests.naive_ledger import NaiveLedger, Write, ledger_of
from tests.services import KEYS
from tests.simulation.servers import LEASES_END_EVERY_S
from tests.simulation.story import LEASE_S
from tests.simulation.world import History

UNTRUSTED = 0.2  # of a lease's time: a worker has so long to end its exclusive runs


def problems_of(history: History) -> list[str]:
    """Return all that is wrong with it."""
    ledger = naive_ledger_of(history)
    processes = history.processes
    scheduled = [
        edit.job_id
        for edit in history.story.edits
        if isinstance(edit.data, JobCreated) and edit.data.spec.schedule is not None
    ]
    return [
        *history.failures,
        *run_validators.all_jobs_had_ticks(ledger, scheduled),
        *run_validators.no_doubles(ledger, processes),
        *run_validators.every_tick_is_accounted_for(ledger),
        *run_validators.every_end_is_on_record(ledger, processes, history.left),
        *run_validators.exclusive_runs_do_not_overlap(
            ledger, processes, history.pauses, LEASE_S * UNTRUSTED + LEASES_END_EVERY_S
        ),
        *run_validators.ends_have_what_follows(ledger),
        *run_validators.queued_ticks_run_in_order(ledger, processes),
    ]


def naive_ledger_of(history: History) -> NaiveLedger:
    return ledger_of(_writes(history), history.records)


def _writes(history: History) -> Iterator[Write]:
    for revision in history.revisions:
        for event in revision.events:
            value = event.value if isinstance(event, KeyValue) else None
            yield Write(revision.at_s, event.mod_revision, event.key.removeprefix(KEYS.prefix), value)
