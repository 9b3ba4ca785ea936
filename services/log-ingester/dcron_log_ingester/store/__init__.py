"""MongoDB: the only place that knows its driver, so that another can replace it.

* `runs`: executions, their output, skipped ticks.
* `archive`: the archive of the job events.
* `ledger`: what is stored about the ticks of a job.
* `driver`: the driver's errors as ours.
"""

from dcron_log_ingester.store.archive import Archived, EventArchive, EventFilter
from dcron_log_ingester.store.ledger import LedgerRecords
from dcron_log_ingester.store.runs import INDEXES, ExecutionFilter, Store, open_store

__all__ = [
    "INDEXES",
    "Archived",
    "EventArchive",
    "EventFilter",
    "ExecutionFilter",
    "LedgerRecords",
    "Store",
    "open_store",
]
