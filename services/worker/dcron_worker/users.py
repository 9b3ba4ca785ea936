"""Whose rights a run has: the worker's own user, or another one that this worker may start programs as."""

import os
import pwd

from msgspec import Struct

from dcron_worker.errors import ProcessStartError


class User(Struct, frozen=True):
    """A user of this host."""

    name: str
    uid: int
    gid: int
    home: str


def user_to_become(run_as: str | None, allowed: frozenset[str]) -> User | None:
    """Return the user that a run is to change to; None: it stays the worker's own. Raises ProcessStartError."""
    if run_as is None:
        return None
    own = _own_name()
    if run_as == own:
        return None
    if run_as not in allowed:
        raise ProcessStartError(
            f"run_as {run_as!r} is not allowed on this worker, which runs as {own!r}; "
            "name the user in its DCRON_RUN_AS_ALLOWED, or leave run_as out"
        )
    if os.geteuid() != 0:
        raise ProcessStartError(
            f"run_as {run_as!r} is not possible on this worker, which runs as {own!r}: "
            "only a worker that runs as root can start programs as another user"
        )
    try:
        found = pwd.getpwnam(run_as)
    except KeyError:
        raise ProcessStartError(f"run_as {run_as!r}: there is no such user on this worker") from None
    return User(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's number without a name
        return str(os.geteuid())
