"""dcron on one machine, and the `dcron` command line.

* `cli`: the commands; `job_commands`, `log_commands`: those about jobs and runs; `client`: the HTTP API they use.
* `up`, `stack`, `data_directory`, `demo`: everything on one machine: `servers` underneath, `components` on top.
* `servers`, `server`, `*_server`: etcd, Kafka and the MongoDB-protocol server as child processes.
* `children`, `tether`, `supervision`: how a child process lives and dies; `ports`, `handshakes`: what it answers on.
"""
