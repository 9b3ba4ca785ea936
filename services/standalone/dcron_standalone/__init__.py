"""dcron on one machine, and the `dcron` command line.

* `cli`: the commands; `job_commands`, `log_commands`: those about jobs and runs; `client`: the HTTP API they use.
* `up`: everything on one machine: `servers` underneath, `components` on top.
* `servers`: etcd, Kafka and the MongoDB-protocol server as child processes.
* `children`, `tether`, `ports`, `handshakes`: how a child lives and dies, what it listens on, whether it answers.
"""
