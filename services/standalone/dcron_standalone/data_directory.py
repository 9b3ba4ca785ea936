"""The directory of a local stack: who uses it, its secrets, and how the command line finds the stack."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from dcron_core.errors import DcronError
from dcron_core.ids import IdSource

T = TypeVar("T")

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700


class DirectoryInUseError(DcronError):
    """Another local stack runs on the directory."""


class Access(Struct, frozen=True):
    """How to reach a running dcron; what `client.json` holds."""

    url: str  # of the master
    token: str
    ca: str = ""  # PEM file: authorities of the certificates that dcron shows; empty: those of the machine


class ServerAddresses(Struct, frozen=True):
    """Where a local stack's servers and services are; what `servers.json` holds, as the variables are named."""

    etcd: str
    kafka: str
    etcd_prefix: str
    topic_prefix: str
    mongodb: str = ""
    mongodb_database: str = ""
    log_ingester_url: str = ""

    def environment(self) -> dict[str, str]:
        """Return the variables that lead there."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {f"DCRON_{name.upper()}": value for name, value in values.items() if value}


class DataDirectory:
    """A local stack's directory. Everything secret in it is readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def token_file(self) -> Path:
        return self.path / "token"

    @property
    def audit_key_file(self) -> Path:
        return self.path / "audit-key"

    @property
    def signing_key_file(self) -> Path:
        return self.path / "signing-key"

    @property
    def cluster_key_file(self) -> Path:
        return self.path / "cluster-key"

    @property
    def client_file(self) -> Path:
        return self.path / "client.json"

    @property
    def servers_file(self) -> Path:
        return self.path / "servers.json"

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
        return _secret(self.token_file, ids)

    def audit_key(self, ids: IdSource) -> str:
        """Return the private key that signs heads of the log's chain, made when first asked for."""
        return _secret(self.audit_key_file, ids)

    def signing_key(self, ids: IdSource) -> str:
        """Return the private key that the master signs with, made when first asked for."""
        return _secret(self.signing_key_file, ids)

    def cluster_key(self, ids: IdSource) -> str:
        """Return the key that master and workers share, made when first asked for."""
        return _secret(self.cluster_key_file, ids)

    def make_keys(self, ids: IdSource) -> None:
        """Make all keys that the services of a stack need, as far as they are not there."""
        self.audit_key(ids)
        self.signing_key(ids)
        self.cluster_key(ids)

    def write_access(self, access: Access) -> None:
        """Let the command line find the stack."""
        _write_private(self.client_file, msgspec.json.encode(access))

    def read_access(self) -> Access | None:
        """Return how to reach the stack; None if there never was one here."""
        return _read(self.client_file, Access)

    def write_servers(self, servers: ServerAddresses) -> None:
        """Let the tools that speak to etcd and Kafka themselves find those of the stack."""
        _write_private(self.servers_file, msgspec.json.encode(servers))

    def read_servers(self) -> ServerAddresses | None:
        """Return where the stack's servers are, or were last; None if there never was one here."""
        return _read(self.servers_file, ServerAddresses)


def _read(file: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DcronError(f"{file} is damaged ({error}); remove it, and start `dcron up` again") from error


def _secret(file: Path, ids: IdSource) -> str:
    """Return the 256 bits that the file holds as hexadecimal digits, made when first asked for."""
    if not file.exists():
        _write_private(file, ids.token().encode())
    return file.read_text().strip()


def _write_private(file: Path, content: bytes) -> None:
    with private_file(file) as write:
        write(content)


@contextmanager
def private_file(file: Path) -> Iterator[Callable[[bytes], object]]:
    """Give what writes to `file`, so that it is private from its first byte on, and whole or not there."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as output:
            yield output.write
            output.flush()
            os.fsync(output.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
