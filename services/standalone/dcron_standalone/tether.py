"""Becomes another program, which the kernel kills when the process that started it is gone.

Run as a script, by `children`: `python tether.py PARENT_PID PROGRAM ARGUMENT…`. The parent-death signal outlives
the exec; asking for it here rather than between fork and exec of the parent keeps that moment free of Python.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(f"the process {parent} that wanted {program} is gone")
    os.execvp(program, sys.argv[2:])  # noqa: S606  a shell is just what we do not want here


if __name__ == "__main__":
    main()
