"""`dcron login`, `user`, `token` and `secret`, run as people do, at a master over HTTP."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from dcron_core.errors import DcronError
from dcron_standalone.client import ApiError, find_access
from dcron_standalone.credentials_file import CredentialsFile, Login
from dcron_standalone.data_directory import Access
from dcron_standalone.grant_texts import parse_grants
from tests.people import CLUSTER_KEY, PASSWORD, add_user
from tests.services import TOKEN, Ports

VALUE = "hunter2-is-a-treasure"


class Terminal:
    """Runs commands, each in a process of its own, with this environment and no other."""

    def __init__(self, home: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DCRON_", "XDG_"))}
        self.environment = inherited | {"XDG_CONFIG_HOME": str(home), "COLUMNS": "200"} | environment
        self.home = home

    async def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Run a command; return what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dcron_standalone", *arguments,
            env=self.environment, cwd=self.home, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate(stdin.encode())
        assert process.returncode == code, out.decode()
        return out.decode()


async def test_a_user_logs_in_with_a_password_works_and_logs_out(tmp_path: Path) -> None:
    """The token is in a file that nobody else reads, the next commands use it, and after the logout it is revoked."""
    async with Ports().master(cluster_key=CLUSTER_KEY) as (master, client):
        await add_user(client, "ada", {"*": "admin"})
        url, ada = f"http://127.0.0.1:{master.port}", Terminal(tmp_path)
        assert "not right" in await ada.run("login", url, "--user", "ada", stdin="wrong wrong wrong\n", code=1)
        out = await ada.run("login", url, "--user", "ada", stdin=f"{PASSWORD}\n")
        assert f"logged in at {url} as ada" in out
        file = tmp_path / "dcron" / "credentials.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert PASSWORD not in file.read_text()
        assert "dcron login on" in await ada.run("token", "ls")
        user = await ada.run("user", "ls")
        assert ("ada" in user, "*=admin" in user) == (True, True)
        token = CredentialsFile({"XDG_CONFIG_HOME": str(tmp_path)}).read().by_url[url].token
        assert "logged out" in await ada.run("logout")
        assert token not in file.read_text()
        again = Terminal(tmp_path, DCRON_URL=url, DCRON_TOKEN=token)
        assert "not logged in" in await again.run("user", "ls", code=1)


async def test_users_tokens_and_secrets_are_managed(tmp_path: Path) -> None:
    """What the commands print is what is so; a secret's value comes from stdin and is printed by none."""
    async with Ports().master(cluster_key=CLUSTER_KEY) as (master, client):
        url = f"http://127.0.0.1:{master.port}"
        root = Terminal(tmp_path, DCRON_URL=url, DCRON_TOKEN=TOKEN)
        added = await root.run("user", "add", "bob", "team=viewer", "--display-name", "Bob")
        assert f"{url}/login?link=" in added
        assert "bob: other=editor team=operator" in await root.run(
            "user", "grant", "bob", "team=operator", "other=editor"
        )
        assert "bob: team=operator" in await root.run("user", "revoke", "bob", "other")
        assert "no role" in await root.run("user", "revoke", "bob", "other", code=1)
        await root.run("user", "passwd", "bob", stdin=f"{PASSWORD}\n")
        made = await root.run("token", "create", "ci", "team=viewer", "--user", "bob", "--expires-in", "7d")
        token = made.split()[-1]
        bob = Terminal(tmp_path, DCRON_URL=url, DCRON_TOKEN=token)
        assert "admin" in await bob.run("user", "ls", code=1)
        assert token not in await root.run("token", "ls", "--all")
        out = await root.run("secret", "set", "KEY", "-n", "team", stdin=f"{VALUE}\n")
        out += await bob.run("secret", "ls")
        assert "KEY" in out
        assert VALUE not in out
        assert "editor" in await bob.run("secret", "rm", "KEY", "-n", "team", code=1)
        await root.run("secret", "rm", "KEY", "-n", "team")
        await root.run("user", "disable", "bob")
        assert "not logged in" in await bob.run("secret", "ls", code=1)
        await root.run("user", "rm", "bob")
        assert (await client.get("/api/v1/users")).json()["users"] == []


def test_which_dcron_is_meant(tmp_path: Path) -> None:
    """DCRON_URL names one, with its token or a login there; without it the last login is meant."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = CredentialsFile(environ)
    file.keep("https://one.example", Login("dcron_1", "ada"))
    file.keep("https://two.example", Login("dcron_2", "ada"))
    assert find_access(environ) == Access("https://two.example", "dcron_2")
    assert find_access(environ | {"DCRON_URL": "https://one.example/"}) == Access("https://one.example", "dcron_1")
    named = environ | {"DCRON_URL": "https://one.example", "DCRON_TOKEN": "another"}
    assert find_access(named) == Access("https://one.example", "another")
    with pytest.raises(ApiError, match="dcron login"):
        find_access(environ | {"DCRON_URL": "https://three.example"})
    file.forget("https://two.example")
    with pytest.raises(ApiError, match="no dcron is known"):
        find_access(environ | {"DCRON_DATA": str(tmp_path)})


def test_a_file_that_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    file = CredentialsFile({"XDG_CONFIG_HOME": str(tmp_path)})
    file.keep("https://one.example", Login("dcron_1", "ada"))
    file.path.chmod(0o640)
    with pytest.raises(DcronError, match="chmod 600"):
        file.read()
    file.path.chmod(0o600)
    file.path.write_text("{")
    with pytest.raises(DcronError, match="damaged"):
        file.read()


@pytest.mark.parametrize("text", ["team", "=admin", "team=boss", "team="])
def test_what_is_no_grant_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="namespace=role"):
        parse_grants([text])
