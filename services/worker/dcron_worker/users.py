"""Whose rights a run has. A worker that runs as root gives them away: no run is root's unless that was said.

Without `run_as` a run belongs to the worker's user, or, if that is root, to the user of `DCRON_JOB_USER`.
"""

import os
import pwd

from msgspec import Struct

from dcron_core.errors import SettingsError
from dcron_worker.errors import ProcessStartError

ROOT = "root"
UNPRIVILEGED = "nobody"  # who runs the jobs of a worker that runs as root, if nothing else is said


class User(Struct, frozen=True):
    """A user of this host."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]  # all of them
    home: str


class JobUsers(Struct, frozen=True):
    """Whom this worker starts runs as."""

    usual: User | None = None  # of runs that name nobody; None: the worker's own user
    allowed: frozenset[str] = frozenset()  # whom runs may name besides

    def user_of(self, run_as: str | None) -> User | None:
        """Return the user that a run is to change to; None: it stays the worker's own. Raises ProcessStartError."""
        if run_as is None:
            return self.usual
        own = _own_name()
        usual = self.usual.name if self.usual else own
        if run_as == usual:
            return self.usual
        if run_as not in self.allowed:
            raise ProcessStartError(
                f"run_as {run_as!r} is not allowed on this worker, which runs jobs as {usual!r}; "
                "name the user in its DCRON_RUN_AS_ALLOWED, or leave run_as out"
            )
        if run_as == own:
            return None
        if os.geteuid() != 0:
            raise ProcessStartError(
                f"run_as {run_as!r} is not possible on this worker, which runs as {own!r}: "
                "only a worker that runs as root can start programs as another user"
            )
        found = user_named(run_as)
        if found is None:
            raise ProcessStartError(f"run_as {run_as!r}: there is no such user on this worker")
        return found


def job_users(job_user: str, allowed: frozenset[str]) -> JobUsers:
    """Return whom to start runs as, by the settings; raise SettingsError if this worker cannot."""
    own = _own_name()
    wanted = job_user or (UNPRIVILEGED if os.geteuid() == 0 else own)
    if wanted == own:
        return JobUsers(None, allowed)
    if os.geteuid() != 0:
        raise _cannot(
            job_user,
            f"this worker runs as {own!r}, and only one that runs as root can start jobs as another user; leave it "
            "out, or start the worker as that user",
        )
    usual = user_named(wanted)
    if usual is None:
        raise _cannot(
            job_user,
            f"there is no user {wanted!r} on this host; name one that jobs are to run as, or root if they are to have "
            "all rights",
        )
    return JobUsers(usual, allowed)


def user_named(name: str) -> User | None:
    """Return a user of this host; None: there is none of that name."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = tuple(os.getgrouplist(name, found.pw_gid))
    return User(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def _cannot(job_user: str, why: str) -> SettingsError:
    return SettingsError([f"DCRON_JOB_USER={job_user!r}: {why}"])


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's number without a name
        return str(os.geteuid())
