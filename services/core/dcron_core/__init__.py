"""What dcron's services share.

* `errors`, `clock`, `ids`, `durations`, `settings`, `lifecycle`, `telemetry`: the ground.
* `jobs`, `schedule`: the pure domain: what a job is, what the log makes of it, when it is due.
* `ports`: what the services ask of a key-value store and of a log, in words.
* `adapters`: etcd, Kafka, and both in memory.
* `mirror`, `session`, `keys`: a prefix followed, a lease held, the layout of the keys.
* `http`: problems, identity and probes, the same on every service.
"""
