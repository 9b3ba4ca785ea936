"""`dcron secret …`: what jobs name as `${secret:NAME}`. A value comes from stdin, and is never shown."""

import getpass
import sys
from typing import Annotated
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.identity import Secret, SecretList, SecretWanted
from dcron_standalone.client import ApiError, Client, decoded
from dcron_standalone.job_commands import DEFAULT_NAMESPACE, connected
from dcron_standalone.moments import ago
from dcron_standalone.terminal import note, say, say_table

app = App(name="secret", help="Secrets of jobs: set, list, remove.")

Namespace = Annotated[str, Parameter(name=["--namespace", "-n"])]


@app.command(name="set")
def set_secret(name: str, *, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Set a secret, or replace its value, which is asked for or comes from stdin. One newline at its end is left out.

    Parameters
    ----------
    name
        As jobs name it: letters, digits and _.
    namespace
        Whose jobs may use it.
    """
    value = getpass.getpass(f"value of {name}: ") if sys.stdin.isatty() else _from_stdin()
    with connected() as client:
        decoded(client.command("PUT", _url(client, namespace, name), body=SecretWanted(value=value)), Secret)
    say(f"{namespace}/{name} set")


@app.command(name="ls")
def list_secrets(
    *, namespace: Namespace = "", as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """List the secrets by name.

    Parameters
    ----------
    namespace
        Of one namespace; none: of all that you may view.
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        secrets = client.get(_url(client), SecretList, {"namespace": namespace} if namespace else {}).secrets
    if as_json:
        print(msgspec.json.encode(secrets).decode())
    elif secrets:
        now = SystemClock().now()
        table = Table("namespace", "secret", "set", "by", box=None, header_style="bold")
        for secret in secrets:
            table.add_row(secret.namespace, secret.name, ago(secret.updated_at, now), Text(secret.updated_by))
        say_table(table)
    else:
        note("no secrets; `dcron secret set NAME` sets one")


@app.command(name="rm")
def remove_secret(name: str, *, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Remove a secret. Jobs that name it fail until it is there again."""
    with connected() as client:
        client.command("DELETE", _url(client, namespace, name))
    say(f"{namespace}/{name} removed")


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ApiError(f"the value is not text in UTF-8: {error.reason} at byte {error.start}") from None


def _url(client: Client, *parts: str) -> str:
    return "/".join((f"{client.access.url}/api/v1/secrets", *(quote(part, safe="") for part in parts)))
