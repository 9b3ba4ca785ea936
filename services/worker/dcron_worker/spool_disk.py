"""What the spool asks of the file system: a lock, whole writes, syncs, and one small file."""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from dcron_core.telemetry import get_logger
from dcron_worker.errors import SpoolInUseError

_ACKNOWLEDGED = "acknowledged"

log = get_logger()


def lock_directory(directory: Path) -> int:
    """Return a descriptor that holds the directory's lock; raise SpoolInUseError when another process has it."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SpoolInUseError(
            f"another process uses the spool {directory}; give each worker a DCRON_WORKER_DATA of its own"
        ) from error
    return descriptor


def open_for_append(path: Path) -> int:
    """Return a descriptor for a segment, new or not."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def write_whole(descriptor: int, frames: bytes, size: int) -> None:
    """Append all of `frames` to a file of `size` bytes, or nothing."""
    written = os.write(descriptor, frames)
    if written == len(frames):
        return
    try:
        while written < len(frames):
            written += os.write(descriptor, memoryview(frames)[written:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def write_acknowledged(directory: Path, position: int) -> bool:
    """Replace the file that says what is acknowledged; False (and a warning) when the disk does not take it."""
    path = directory / _ACKNOWLEDGED
    try:
        path.with_suffix(".new").write_text(f"{position}\n", encoding="ascii")
        path.with_suffix(".new").replace(path)
    except OSError as error:  # costs no more than sending some records again
        log.warning("the acknowledged position was not written", action="spool.persist", error=str(error))
        return False
    return True


def read_acknowledged(directory: Path) -> int:
    """Return the position before which everything is acknowledged, as far as is known."""
    try:
        return int((directory / _ACKNOWLEDGED).read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except ValueError as error:  # an empty file after a power cut: records come again, none is lost
        log.warning("the acknowledged position cannot be read", action="spool.persist", error=str(error))
        return 0


def sync_files(directory: Path, paths: Sequence[Path], names_changed: bool) -> None:
    """Put files on disk, in a thread: it opens them for itself, so that no descriptor is shared with the loop."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # acknowledged meanwhile
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    if names_changed:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # file systems that cannot sync a directory
                raise
        finally:
            os.close(descriptor)
