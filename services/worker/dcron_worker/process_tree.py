"""Which processes belong to a run, and how to reach all of them. Standard library only: the guard runs on this too.

A process belongs to a run when it

* is in the process group or the session that the run's first process leads, or
* carries the run's mark in its environment (`DCRON_WORKER_ID` and `DCRON_EXECUTION_ID`, which children
  inherit through any number of forks, new sessions and lost parents), or
* descends from one that does.

So what gets away is a process that did all three: began a session of its own, lost every parent up to the
run, and was started with another environment (`env -i setsid … &`), or hides it from this user (set-uid
programs, unless the worker is root). Control groups would find that one too, but need a delegated hierarchy,
and the move of a process into one was seen to hold up the mover for 9 ms: too long for a start.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_MOST_ENVIRONMENT_BYTES = 4 << 20
_MOST_STAT_BYTES = 4096  # 52 numbers and a short name: one read
_ROUNDS = 20  # of freezing what was started in the meantime
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_OVER = (b"Z", b"X")
_KERNEL = 2  # parent of the kernel's own threads
_AFTER_NAME = 3  # /proc/PID/stat counts its fields from 1; the third is the first after the name
_PARENT, _GROUP, _SESSION, _START_TIME = (number - _AFTER_NAME for number in (4, 5, 6, 22))


class Mark(NamedTuple):
    """What a run's processes carry in their environment."""

    worker_id: str
    execution_id: str


class Root(NamedTuple):
    """What is known of a run's processes."""

    mark: Mark | None
    pid: int = 0  # of the first process, which leads group and session; 0: not known yet
    started: tuple[int, int] = (0, 0)  # after the first and by the second, in clock ticks since boot


class Seen(NamedTuple):
    """A process that is not over, as one look found it."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    mark: Mark | None


def look() -> dict[int, Seen]:
    """Return every process that is not over; of a few hundred, that takes some milliseconds."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (pathlib costs the guard its quick start)
        if name.isdigit():
            process = _seen(int(name))
            if process is not None:
                found[process.pid] = process
    return found


def ticks_since_boot() -> int:
    """Return what time it is on the clock that `start_time` is of."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS_A_SECOND // 1_000_000_000


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None: there is none, or it is over.

    A process id is given again to another process some day; id and start time together are not. Of a child it need
    not be read, which takes as long as a third of its start: what `ticks_since_boot` says before the start and after
    it tells as well. No other process can have its id before it was waited for; after a boot, ids and clock begin anew.
    """
    fields = _stat(pid)
    return None if fields is None else int(fields[_START_TIME])


def is_first(root: Root, started: int) -> bool:
    """Tell whether a process of the root's id, which started then, is the run's first process."""
    earliest, latest = root.started
    return earliest <= started <= latest


def members(processes: Mapping[int, Seen], roots: Iterable[Root]) -> list[Seen]:
    """Return those of the processes that belong to the runs."""
    wanted = list(roots)
    marks = {root.mark for root in wanted if root.mark is not None}
    leaders = {root.pid for root in wanted if root.pid and _leads(processes, root)}
    children: dict[int, list[Seen]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    left = [
        process
        for process in processes.values()
        if process.mark in marks or process.group in leaders or process.session in leaders
    ]
    found: dict[int, Seen] = {}
    while left:
        process = left.pop()
        if process.pid not in found:
            found[process.pid] = process
            left += children.get(process.pid, [])
    found.pop(os.getpid(), None)  # a run that is over must never mean ourselves
    return list(found.values())


def _leads(processes: Mapping[int, Seen], root: Root) -> bool:
    # As long as a group or session has members, its number is given to no new process. So a process that has
    # the number and started at another time means that nothing of ours is left under it.
    leader = processes.get(root.pid)
    return leader is None or is_first(root, leader.started)


def send(processes: Iterable[Seen], number: int) -> int:
    """Send a signal to those very processes, never to another that got the id of one; return how many got it.

    Those that run as a user whom this one may not signal are left out.
    """
    reached = 0
    for process in processes:
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            continue
        try:
            if start_time(process.pid) == process.started:
                signal.pidfd_send_signal(descriptor, number)
                reached += 1
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return reached


class Hunt:
    """Ends all processes of some runs.

    They are frozen first, and looked for again until there are no new ones: who is frozen starts nothing more,
    and its children keep the parent that they are known by.
    """

    def __init__(self) -> None:
        self._frozen: dict[tuple[int, int], Seen] = {}
        self._rounds = 0

    def freeze(self, found: Iterable[Seen]) -> bool:
        """Freeze those that are not frozen yet; tell whether it is worth looking again."""
        new = {(each.pid, each.started): each for each in found if (each.pid, each.started) not in self._frozen}
        send(new.values(), signal.SIGSTOP)
        self._frozen.update(new)
        self._rounds += 1
        return bool(new) and self._rounds < _ROUNDS

    def kill(self) -> int:
        """Kill what was frozen; return how many that were."""
        return send(self._frozen.values(), signal.SIGKILL)


def kill(roots: Iterable[Root]) -> int:
    """Kill all processes of the runs; return how many there were."""
    wanted, hunt = list(roots), Hunt()
    while hunt.freeze(members(look(), wanted)):
        pass
    return hunt.kill()


def _seen(pid: int) -> Seen | None:
    fields = _stat(pid)
    if fields is None or int(fields[_PARENT]) == _KERNEL:
        return None
    parent, group, session, started = (int(fields[at]) for at in (_PARENT, _GROUP, _SESSION, _START_TIME))
    return Seen(pid, parent, group, session, started, _mark(pid))


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields after the name; None if the process is over or gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = os.read(descriptor, _MOST_STAT_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in _OVER else fields


def _mark(pid: int) -> Mark | None:
    environment = b"\0" + _content(f"/proc/{pid}/environ") + b"\0"
    worker = _value(environment, b"DCRON_WORKER_ID")
    execution = _value(environment, b"DCRON_EXECUTION_ID")
    return Mark(worker, execution) if worker and execution else None


def _value(environment: bytes, name: bytes) -> str:
    before = b"\0" + name + b"="
    at = environment.find(before)
    if at < 0:
        return ""
    begin = at + len(before)
    return environment[begin : environment.index(b"\0", begin)].decode("utf-8", "replace")


def _content(path: str) -> bytes:
    """Return what a file of /proc holds; nothing, if the process is gone or another user's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    content = b""
    try:
        while len(content) < _MOST_ENVIRONMENT_BYTES and (piece := os.read(descriptor, 1 << 16)):
            content += piece
    except OSError:
        return content
    finally:
        os.close(descriptor)
    return content
