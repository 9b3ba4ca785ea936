"""What crosses a process boundary in dcron, and nothing else.

* `job`: the definition of a job, as people write it.
* `events`: what happened to jobs; the records of the Kafka topic `cron.job-events`.
* `records`: what happened to runs; the records of `cron.executions`.
* `state`: the values of the keys in etcd.
* `api`, `audit`: the bodies of HTTP answers and the frames of the websockets.
* `codec`: bytes to Structs and back.

No message can be part of a cycle, so what is kept by the hundred thousand is `gc=False`: walking through it all
again and again would cost the replay of a log four fifths of its speed.

The rules by which these may change are in `schemas/README.md`; the checks enforce them.
"""
