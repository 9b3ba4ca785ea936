"""The directory of a local stack: who uses it, its token, and how the command line finds the stack."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from dcron_core.errors import DcronError
from dcron_core.ids import IdSource

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700


class DirectoryInUseError(DcronError):
    """Another local stack runs on the directory."""


class Access(Struct, frozen=True):
    """How to reach a running dcron; what `client.json` holds."""

    url: str  # of the master
    token: str

    @property
    def link(self) -> str:
        """The link that logs a browser in."""
        return f"{self.url}/login?token={self.token}"


class DataDirectory:
    """A local stack's directory. Everything secret in it is readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def token_file(self) -> Path:
        return self.path / "token"

    @property
    def client_file(self) -> Path:
        return self.path / "client.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have the directory to ourselves; raise DirectoryInUseError if another stack has it."""
        self.path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise DirectoryInUseError(
                    f"another `dcron up` (process {file.read().strip() or '?'}) runs on {self.path}; "
                    "stop it, or choose another directory with --data"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def token(self, ids: IdSource) -> str:
        """Return the stack's token, made when first asked for."""
        if not self.token_file.exists():
            _write_private(self.token_file, ids.token().encode())
        return self.token_file.read_text().strip()

    def write_access(self, access: Access) -> None:
        """Let the command line find the stack."""
        _write_private(self.client_file, msgspec.json.encode(access))

    def read_access(self) -> Access | None:
        """Return how to reach the stack; None if there never was one here."""
        try:
            return msgspec.json.decode(self.client_file.read_bytes(), type=Access)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise DcronError(
                f"{self.client_file} is damaged ({error}); remove it, and start `dcron up` again"
            ) from error


def _write_private(file: Path, content: bytes) -> None:
    """Write so that the file is private from its first byte on, and whole or not there."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    new.replace(file)
