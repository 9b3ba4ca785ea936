"""The jobs that a job hangs together with, by what comes after what (pure)."""

from collections import deque
from collections.abc import Iterable

from dcron_schemas.api import DependencyEdge, DependencyGraph, DependencyNode
from dcron_schemas.state import JobEntry

MOST_JOBS = 200


def graph_of(entries: Iterable[JobEntry], job: JobEntry) -> DependencyGraph:
    """Return every job that comes before or after `job`, over any number of steps; the nearest first, at most 200.

    Jobs come after others of their own namespace, by name. A name that no job has (written by hand into the log)
    is passed over.
    """
    jobs = {entry.spec.name: entry for entry in entries if entry.spec.namespace == job.spec.namespace}
    edges = [
        (after.job, entry.spec.name, after.on)
        for entry in jobs.values()
        for after in entry.spec.after
        if after.job in jobs
    ]
    beside: dict[str, set[str]] = {}
    for before, after, _ in edges:
        beside.setdefault(before, set()).add(after)
        beside.setdefault(after, set()).add(before)
    found = {job.spec.name: None}  # a dict, for its order
    waiting = deque(found)
    while waiting and len(found) < MOST_JOBS:
        for name in sorted(beside.get(waiting.popleft(), set()) - found.keys())[: MOST_JOBS - len(found)]:
            found[name] = None
            waiting.append(name)
    nodes = tuple(
        DependencyNode(job_id=jobs[name].job_id, name=name, enabled=jobs[name].spec.enabled)
        for name in found
        if name in jobs
    )
    kept = tuple(
        DependencyEdge(before=jobs[before].job_id, after=jobs[after].job_id, on=on)
        for before, after, on in edges
        if before in found and after in found
    )
    return DependencyGraph(jobs=nodes, edges=kept)
