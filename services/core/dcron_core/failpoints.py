"""Named instants at which a test can have a process die (G1, G2): the boundaries of what is made durable.

`DCRON_FAILPOINTS="command.appended=0.02,projector.written=0.01"` kills the process with SIGKILL there, with that
probability each time. In production there is none, and passing a failpoint costs a look into an empty dict.
"""

import os
import signal
from collections.abc import Mapping

from dcron_core.errors import SettingsError
from dcron_core.ids import IdSource

NAMES = frozenset(
    {
        "command.before_append",  # the event is made, and not in the log
        "command.appended",  # it is in the log, and its outcome not known
        "command.before_answer",  # its outcome is known, and not told
        "projector.before_write",  # events are folded, and not in etcd
        "projector.written",  # they are in etcd, and nobody was told
    }
)


class Failpoints:
    """Which failpoints are armed, and with what probability."""

    def __init__(self, armed: Mapping[str, float] | None = None, ids: IdSource | None = None) -> None:
        self._armed = dict(armed or {})
        self._ids = ids or IdSource()

    def reach(self, name: str) -> None:
        """Die here, if the failpoint is armed and its time has come."""
        probability = self._armed.get(name)
        if probability is not None and self._ids.uniform(0.0, 1.0) < probability:
            os.kill(os.getpid(), signal.SIGKILL)


def parse_failpoints(text: str) -> Failpoints:
    """Return the failpoints that `name=probability,…` arms; raise SettingsError."""
    armed: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, probability = part.partition("=")
        if name not in NAMES:
            raise SettingsError([f"DCRON_FAILPOINTS: {name!r} is not one of {', '.join(sorted(NAMES))}"])
        try:
            armed[name] = float(probability)
        except ValueError:
            raise SettingsError([f"DCRON_FAILPOINTS: {part!r} is not name=probability"]) from None
        if not 0.0 <= armed[name] <= 1.0:
            raise SettingsError([f"DCRON_FAILPOINTS: {part!r}: a probability is from 0 to 1"])
    return Failpoints(armed)
