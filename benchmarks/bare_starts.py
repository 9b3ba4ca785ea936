"""The least that starting many programs at an instant can cost: a loop over bare `os.posix_spawn`."""

import os
import time
from pathlib import Path

PROGRAM = ("/bin/date", "+%s.%N")  # a small program that notes the time before all else
ENVIRONMENT = {"LANG": "C.UTF-8"}  # as dcron's runs have it


def bare_round(count: int, due: float, file: Path) -> list[float]:
    """Start that many programs at `due`, in seconds of the epoch; return how late each one was, in ms."""
    output = (os.POSIX_SPAWN_OPEN, 1, str(file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    time.sleep(max(0.0, due - time.time()))
    started = [os.posix_spawn(PROGRAM[0], PROGRAM, ENVIRONMENT, file_actions=[output]) for _ in range(count)]
    for process in started:
        os.waitpid(process, 0)
    return [(float(line) - due) * 1000 for line in file.read_text().splitlines()]
