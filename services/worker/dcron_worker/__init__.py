"""The worker: holds the job table, claims due ticks, runs them, and ships what happened.

* `planner`: which job is to be looked at when; pure.
* `line`: whose turn it is to claim; pure.
* `claims`: the transactions of design §5; pure.
* `table`: etcd's prefixes as this worker knows them, feeding the planner.
* `claimer`: due ticks and wanted runs become claims.
* `batches`: transactions that are under way at the same time share calls to etcd.
* `runner`: a claimed run from its instant to its end; `instants`: all that are due at the same one start first.
* `command`, `program`, `users`: what a run is started with, and as whom; `descriptors`: enough of them for all slots.
* `process`, `http_call`: what it is while it is `under_way`; `output`, `output_bound`: what it writes.
* `guard`, `guard_process`: a worker's death is its runs' death; `process_tree`, `census`: which processes are a run's;
  `run_ledger`: which runs there are, on disk.
* `clocks`, `clock_offset`: this clock against the other workers'.
* `entries`: the two-step end; `former`: what an earlier life on the same directory left behind.
* `spool`, `shipper`: records on disk before they are sent; sent in order.
* `service`: all of it, opened and closed in order.
"""
