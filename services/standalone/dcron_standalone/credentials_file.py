"""What `dcron login` keeps: for each dcron the token that logs this user in, in a file that nobody else may read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from dcron_core.errors import DcronError
from dcron_standalone.data_directory import PRIVATE_DIRECTORY, private_file


class Login(Struct, frozen=True):
    """A login at one dcron."""

    token: str
    user: str


class Logins(Struct, frozen=True):
    """All logins; `current` is the URL of the last one."""

    current: str = ""
    by_url: dict[str, Login] = field(default_factory=dict)


class CredentialsFile:
    """The file, under `XDG_CONFIG_HOME` (`~/.config`)."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        home = Path(environ.get("HOME") or Path.home())
        self.path = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "dcron" / "credentials.json"

    def read(self) -> Logins:
        """Return what is there; raise DcronError if others can read it, or it is damaged."""
        try:
            mode = self.path.stat().st_mode
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Logins()
        except OSError as error:
            raise DcronError(f"{self.path} cannot be read: {error}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise DcronError(
                f"{self.path} can be read by others, and it lets in whoever reads it: chmod 600 {self.path}"
            )
        try:
            return msgspec.json.decode(content, type=Logins)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DcronError(f"{self.path} is damaged ({error}); remove it, and log in again") from error

    def keep(self, url: str, login: Login) -> None:
        """Keep a login, and use it from now on."""
        self._write(Logins(url, self.read().by_url | {url: login}))

    def forget(self, url: str) -> None:
        """Keep it no more."""
        logins = self.read()
        left = {each: login for each, login in logins.by_url.items() if each != url}
        self._write(Logins("" if logins.current == url else logins.current, left))

    def _write(self, logins: Logins) -> None:
        self.path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with private_file(self.path) as write:
            write(msgspec.json.encode(logins))
