"""`dcron user …`: who there is, and what they may do."""

import getpass
import sys
from typing import Annotated
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.identity import GrantsWanted, NewUser, PasswordWanted, User, UserList
from dcron_standalone.client import ApiError, Client, decoded
from dcron_standalone.first_user import login_link
from dcron_standalone.grant_texts import grants_text, parse_grants
from dcron_standalone.job_commands import connected
from dcron_standalone.moments import ago
from dcron_standalone.terminal import note, say, say_table

app = App(name="user", help="Users: add, list, grant and revoke roles, passwords, login links, disable, remove.")

Name = Annotated[str, Parameter(help="The user's name.")]


@app.command(name="ls")
def list_users(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the users, and what they may do.

    Parameters
    ----------
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        users = client.get(_url(client), UserList).users
    if as_json:
        print(msgspec.json.encode(users).decode())
    elif users:
        say_table(_table(users))
    else:
        note("no users; `dcron user add NAME` adds one")


@app.command(name="add")
def add_user(name: Name, *grants: str, display_name: str = "") -> None:
    """Add a user, and print a link that lets them in once, to set a password.

    Parameters
    ----------
    grants
        What they may do, such as team=editor or '*=viewer'.
    display_name
        How people call them.
    """
    wanted = NewUser(name=name, display_name=display_name, grants=parse_grants(grants))
    with connected() as client:
        decoded(client.command("POST", _url(client), body=wanted), User)
        say(f"{name} added: {grants_text(wanted.grants)}")
        say(login_link(client, name))


@app.command(name="grant")
def grant(name: Name, *grants: str) -> None:
    """Grant roles, beside those that the user has.

    Parameters
    ----------
    grants
        Such as team=editor or '*=admin'; a role in a namespace takes the place of the one before.
    """
    wanted = parse_grants(grants)
    with connected() as client:
        before = client.get(_url(client, name), User).grants
        _grant(client, name, GrantsWanted(grants=before | wanted))


@app.command(name="revoke")
def revoke(name: Name, *namespaces: str) -> None:
    """Take the user's roles in namespaces away; '*' is the role in all of them.

    Parameters
    ----------
    namespaces
        Such as team, or '*'.
    """
    with connected() as client:
        before = client.get(_url(client, name), User).grants
        unknown = [each for each in namespaces if each not in before]
        if unknown or not namespaces:
            raise ApiError(f"{name} has no role in {unknown[0] if unknown else 'nothing'!r}: {grants_text(before)}")
        left = {namespace: role for namespace, role in before.items() if namespace not in namespaces}
        _grant(client, name, GrantsWanted(grants=left))


@app.command(name="passwd")
def set_password(name: Name) -> None:
    """Set a user's password. It is asked for, or is the first line of stdin (after one's own until now, if needed)."""
    with connected() as client:
        own = client.access_user() == name
        current = _ask("password until now: ") if own else ""
        wanted = PasswordWanted(password=_ask(f"new password of {name}: ", twice=True), current_password=current)
        client.command("PUT", _url(client, name, "password"), body=wanted)
    say(f"the password of {name} is set; their other sessions have ended")


@app.command(name="link")
def print_link(name: Name) -> None:
    """Print a link that logs the user in, once, within an hour."""
    with connected() as client:
        say(login_link(client, name))


@app.command(name="disable")
def disable(name: Name) -> None:
    """Let a user in no more; their sessions end."""
    with connected() as client:
        client.command("POST", _url(client, name, "disable"))
    say(f"{name} is let in no more; `dcron user enable {name}` takes that back")


@app.command(name="enable")
def enable(name: Name) -> None:
    """Let a user in again."""
    with connected() as client:
        client.command("POST", _url(client, name, "enable"))
    say(f"{name} is let in again")


@app.command(name="rm")
def remove(name: Name) -> None:
    """Remove a user, with all sessions and tokens."""
    with connected() as client:
        client.command("DELETE", _url(client, name))
    say(f"{name} removed")


def _grant(client: Client, name: str, wanted: GrantsWanted) -> None:
    user = decoded(client.command("PUT", _url(client, name, "grants"), body=wanted), User)
    say(f"{name}: {grants_text(user.grants)}")


def _ask(prompt: str, *, twice: bool = False) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    text = getpass.getpass(prompt)
    if twice and getpass.getpass("once more: ") != text:
        raise ApiError("the two are not the same; nothing was changed")
    return text


def _url(client: Client, *parts: str) -> str:
    return "/".join((f"{client.access.url}/api/v1/users", *(quote(part, safe="") for part in parts)))


def _table(users: tuple[User, ...]) -> Table:
    now = SystemClock().now()
    table = Table("user", "name", "may", "let in", "password", "from", "last login", box=None, header_style="bold")
    for user in users:
        table.add_row(
            Text(user.name),
            Text(user.display_name or "-"),
            Text(grants_text(user.grants)),
            Text("yes" if user.enabled else "no", "" if user.enabled else "yellow"),
            "set" if user.has_password else "-",
            user.origin,
            ago(user.last_login, now) if user.last_login else "-",
        )
    return table
