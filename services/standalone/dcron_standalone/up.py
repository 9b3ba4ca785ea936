"""`dcron up`: everything on one machine, until a signal comes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from dcron_core.clock import Clock, SystemClock
from dcron_core.ids import IdSource
from dcron_standalone.data_directory import Access, DataDirectory
from dcron_standalone.stack import Interruption, Stack, StoppedError, UpOptions

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(options: UpOptions, clock: Clock | None = None, ids: IdSource | None = None) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP; leave no process behind. Raises DcronError."""
    directory = DataDirectory(options.data)
    interruption = Interruption(threading.Event(), threading.Event())
    with directory.locked(), _on_signals(interruption):
        ids = ids or IdSource()
        access = Access(
            options.master_url, directory.token(ids), str(Path(options.ca).absolute()) if options.ca else ""
        )
        directory.make_keys(ids)
        stack = Stack(options, directory, access, interruption, clock or SystemClock())
        stack.check()
        try:
            with suppress(StoppedError):
                stack.start()
                stack.watch()
        finally:
            stack.stop()


@contextmanager
def _on_signals(interruption: Interruption) -> Iterator[None]:
    def told(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature is Python's
        (interruption.at_once if interruption.wanted.is_set() else interruption.wanted).set()

    before = {number: signal.signal(number, told) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
