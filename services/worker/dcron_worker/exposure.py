"""Files with the service's secrets that its jobs could read: told when the worker starts."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from stat import S_IRUSR, S_IXUSR

from dcron_core.settings import SECRETS, VARIABLE_PREFIX
from dcron_core.telemetry import get_logger
from dcron_worker.users import User

_KEYS = ("tls_key", "etcd_key", "kafka_key")  # whose values are files

log = get_logger()


@lru_cache(maxsize=100)
def may_enter(user: User, directory: Path) -> bool:
    """Tell whether the user may go to an absolute directory, from the root down."""
    return all(_may(user, each, S_IXUSR) for each in (directory, *directory.parents))


def may_read(user: User, file: Path) -> bool:
    """Tell whether the user may read a file, given by its absolute path."""
    return may_enter(user, file.parent) and _may(user, file, S_IRUSR)


def say_what_is_exposed(environ: Mapping[str, str], user: User | None) -> None:
    """Warn of each file with a secret that runs of this user (None: the worker's own) could read."""
    for name in (*(f"{secret}_file" for secret in SECRETS), *_KEYS):
        variable = f"{VARIABLE_PREFIX}{name.upper()}"
        if environ.get(variable) and (user is None or may_read(user, Path(environ[variable]).absolute())):
            log.warning(
                "jobs can read a file with a secret of the service: run them as another user (DCRON_JOB_USER, by a "
                "worker that is started as root), or give the secret in the environment, which they cannot read",
                action="secret.exposed",
                variable=variable,
            )


def _may(user: User, path: Path, bit: int) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    if found.st_uid == user.uid:
        return bool(found.st_mode & bit)
    if found.st_gid in (user.gid, *user.groups):
        return bool(found.st_mode & bit >> 3)
    return bool(found.st_mode & bit >> 6)
