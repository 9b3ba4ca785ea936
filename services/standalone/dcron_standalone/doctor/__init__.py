"""`dcron doctor`: looks at every part that dcron stands on, and says in words what is wrong and what to do.

* `finding`: what is found, and the report of it all.
* `kafka`, `etcd`, `mongodb`: judge what a server says of itself.
* `services`: asks masters and log-ingesters; `workers`: reads what workers say of themselves in etcd.
* `clocks`, `keys`, `disks`: judge what has to agree between machines, and the room that is left.
* `examination`: asks all of them at the same time, each for a bounded time.
"""
