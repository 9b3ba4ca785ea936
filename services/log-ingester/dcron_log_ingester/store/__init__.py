"""MongoDB: the only place that knows its driver, so that another can replace it.

* `runs`: executions, their output, skipped ticks.
* `driver`: the driver's errors as ours.
"""

from dcron_log_ingester.store.runs import INDEXES, ExecutionFilter, Store, open_store

__all__ = ["INDEXES", "ExecutionFilter", "Store", "open_store"]
