"""Judges the disks of this machine that hold spools or a local stack: is there room for what they may take?"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from dcron_standalone.doctor.finding import Finding, Look

PART = "disks"
LEAST_FREE = 0.05


def judged(directories: Iterable[Path], spool_bytes: int) -> Look:
    """Return what is to be said of each directory that exists; a spool may take `spool_bytes` there."""
    findings, seen = [], []
    for directory in directories:
        if not directory.is_dir():
            continue
        usage = shutil.disk_usage(directory)
        seen.append(f"{usage.free / 1e9:.1f} GB free at {directory}")
        taken = sum(file.stat().st_size for file in (directory / "spool").glob("*") if file.is_file())
        spools = (directory / "spool").is_dir()
        if spools and usage.free < spool_bytes - taken:
            what = f"{directory}: {usage.free / 1e9:.2f} GB are free, and its spool may take {spool_bytes / 1e9:.2f} GB"
            findings.append(Finding(PART, what, "make room, or lower DCRON_WORKER_SPOOL_BYTES"))
        elif usage.free < LEAST_FREE * usage.total:
            what = f"{directory}: {usage.free / usage.total:.1%} of the disk is free"
            findings.append(Finding(PART, what, "make room", "warning"))
    return Look(PART, "; ".join(seen) or "no data of dcron on this machine", tuple(findings), known=bool(seen))
