"""The master: takes commands, appends them to the log, projects the log into etcd, serves the API and the page.

* `commands`: from a request to an event in the log, and from the fold's outcome to the answer.
* `projector`: the log into etcd; every master runs one, there is no leader.
* `sweeper`: closes what workers that are gone left open.
* `api`, `page`: HTTP.
* `service`: all of it, opened and closed in order.
"""
