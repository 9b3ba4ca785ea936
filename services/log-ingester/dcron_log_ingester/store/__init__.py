"""MongoDB: the only place that knows its driver, so that another can replace it.

* `runs`: executions, their output, skipped ticks.
* `filters`: which runs are wanted, as queries.
* `stats`: what became of runs, added up.
* `archive`: the archive of the job events.
* `dead_letters`: what is known of dead letters.
* `ledger`: what is stored about the ticks of a job.
* `connection`: how it is reached.
* `description`: how the database is set up.
* `driver`: the driver's errors as ours.
"""

from dcron_log_ingester.store.archive import Archived, EventArchive, EventFilter
from dcron_log_ingester.store.dead_letters import LetterFilter, LetterRecords
from dcron_log_ingester.store.filters import ExecutionFilter
from dcron_log_ingester.store.ledger import LedgerRecords
from dcron_log_ingester.store.runs import INDEXES, Store, open_store

__all__ = [
    "INDEXES",
    "Archived",
    "EventArchive",
    "EventFilter",
    "ExecutionFilter",
    "LedgerRecords",
    "LetterFilter",
    "LetterRecords",
    "Store",
    "open_store",
]
