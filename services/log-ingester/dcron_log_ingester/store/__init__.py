"""MongoDB: the only place that knows its driver, so that another can replace it.

* `runs`: executions, their output, skipped ticks.
* `ledger`: what is stored about the ticks of a job.
* `driver`: the driver's errors as ours.
"""

from dcron_log_ingester.store.ledger import LedgerRecords
from dcron_log_ingester.store.runs import INDEXES, ExecutionFilter, Store, open_store

__all__ = ["INDEXES", "ExecutionFilter", "LedgerRecords", "Store", "open_store"]
