"""What a process uses, as the kernel counts it."""

from pathlib import Path


def memory_mb(pid: int) -> float:
    """Return how much memory of its own and shared it has in RAM, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"/proc/{pid}/status does not tell VmRSS: is the process over?")


def cpu_s(pid: int) -> float:
    """Return how long its threads, those that are there, have been on a processor, to the nanosecond."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
