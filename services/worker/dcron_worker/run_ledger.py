"""The run ledger: which runs are under way, on disk.

A worker's death is its runs' death: the guard sees to it at once. Should the guard have died with it, the ledger is
the second line. It is a file of the lines that the guard is told (`guard_process`): a worker that starts on the same
data kills what is left of the runs in it. A line costs one small write, before the start and right after it; what the
disk does not take is logged, and stops nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dcron_core.telemetry import get_logger
from dcron_worker.guard_process import Runs, running_line
from dcron_worker.process import Process
from dcron_worker.process_table import end_left_over, end_marked
from dcron_worker.spool_disk import open_for_append, write_whole

FULL_BYTES = 1 << 20  # then it is written anew, with the runs that are under way

log = get_logger()


class RunLedger:
    """The ledger of one worker."""

    def __init__(self, file: Path, worker_id: str) -> None:
        self._path = file
        self._worker_id = worker_id
        self._lines: dict[str, str] = {}  # execution → its last line
        self._full_bytes = FULL_BYTES
        self._descriptor = open_for_append(file)
        self._size = os.fstat(self._descriptor).st_size

    @classmethod
    @contextmanager
    def open(cls, file: Path, worker_id: str) -> Iterator["RunLedger"]:
        """Keep the file open."""
        ledger = cls(file, worker_id)
        try:
            yield ledger
        finally:
            os.close(ledger._descriptor)

    def begins(self, execution_id: str) -> None:
        """A run is about to be started."""
        self._lines[execution_id] = f"+{execution_id}\n"
        self._write(self._lines[execution_id])

    def runs(self, execution_id: str, process: Process) -> None:
        """Its process is there."""
        self._lines[execution_id] = running_line(execution_id, process.root)
        self._write(self._lines[execution_id])

    def over(self, execution_id: str) -> None:
        """It is over, or did not start; nothing happens if it is not in the ledger."""
        if self._lines.pop(execution_id, None) is not None:
            self._write(f"-{execution_id}\n")

    async def end_left_overs(self) -> int:
        """Kill what is left of former runs, and begin anew; return how many there were."""
        former = Runs(self._worker_id)
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            former.read(descriptor)
        except (ValueError, UnicodeDecodeError) as error:  # the runs before the damage are known
            log.warning("the run ledger is damaged", action="former.unreadable", error=str(error))
        finally:
            os.close(descriptor)
        ended = 0
        for root in former.roots.values():
            if root.pid:
                ended += await end_left_over(root)
        # Those that had no process yet when they were written down: their processes are known by their marks.
        ended += await end_marked([root for root in former.roots.values() if not root.pid])
        self._write_anew()
        return ended

    def _write(self, line: str) -> None:
        data = line.encode()
        try:
            write_whole(self._descriptor, data, self._size)
        except OSError as error:
            log.error("the run ledger cannot be written", action="ledger.unwritten", error=str(error))
            return
        self._size += len(data)
        if self._size >= self._full_bytes:
            self._write_anew()

    def _write_anew(self) -> None:
        """Leave out what is over."""
        content = "".join(self._lines.values()).encode()
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(content)
            descriptor = open_for_append(new)
            new.replace(self._path)
        except OSError as error:
            log.error("the run ledger cannot be written", action="ledger.unwritten", error=str(error))
            return
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, len(content)
        self._full_bytes = max(FULL_BYTES, 2 * len(content))
