"""The guard: a small process beside the worker, which ends the worker's runs when the worker is gone.

It reads from a pipe which runs there are, a line for each change:

    `+EXECUTION`               a run is about to be started
    `=EXECUTION PID FROM BY`   its first process, and between which clock ticks since boot it started
    `-EXECUTION`               it is over

When the last writer of the pipe is gone (a worker that was killed with SIGKILL too), it kills all processes of
the runs that are left (`process_tree` says which those are), looks again until none is left, and ends. A child
of the worker that has not come to its program yet still holds the pipe, so none is overlooked.

It runs with `python -I -S` and imports next to nothing, so that it is there in 20 ms and small.
"""

import os
import select
import signal
import sys

from dcron_worker.process_tree import Mark, Root, kill

_DRAIN_EVERY_MS = 1000  # it sleeps while lines come in, and empties the pipe from time to time
_LOOK_AGAIN_MS = 50
_LOOKS = 3  # in a row that have to find nothing
_MOST_LOOKS = 100
_READ_BYTES = 1 << 20


def main() -> None:
    """Guard the runs that come in on descriptor 0, of the worker whose id is the argument."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    runs = Runs(sys.argv[1])
    os.set_blocking(0, False)
    poll = select.poll()
    poll.register(0, 0)  # only the end of the pipe wakes us
    while not poll.poll(_DRAIN_EVERY_MS):
        runs.read(0)
    runs.read(0)
    killed = _kill_until_none_is_left(runs)
    if killed:
        _say(f'{{"action": "guard.killed", "event": "the worker is gone", "processes": {killed}}}\n')


def running_line(execution_id: str, root: Root) -> str:
    """Return the line that tells of a run's first process."""
    earliest, latest = root.started
    return f"={execution_id} {root.pid} {earliest} {latest}\n"


class Runs:
    """The runs that are there, as the lines tell."""

    def __init__(self, worker_id: str) -> None:
        self.roots: dict[str, Root] = {}
        self._worker_id = worker_id
        self._rest = b""

    def read(self, descriptor: int) -> None:
        """Take in all lines that the pipe holds now."""
        while True:
            try:
                data = os.read(descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(line.decode())

    def _take(self, line: str) -> None:
        kind, (execution_id, *numbers) = line[:1], line[1:].split(" ")
        if kind == "-":
            self.roots.pop(execution_id, None)
            return
        pid, *started = (int(number) for number in numbers) if numbers else (0, 0)
        # A release before wrote one instant, and that exactly.
        self.roots[execution_id] = Root(Mark(self._worker_id, execution_id), pid, (started[0], started[-1]))


def _kill_until_none_is_left(runs: Runs) -> int:
    killed = nothing = 0
    for _ in range(_MOST_LOOKS):
        if not runs.roots or nothing == _LOOKS:
            break
        found = kill(runs.roots.values())
        killed += found
        nothing = 0 if found else nothing + 1
        select.poll().poll(_LOOK_AGAIN_MS)
    return killed


def _say(line: str) -> None:
    try:
        os.write(2, line.encode())
    except OSError:
        return
