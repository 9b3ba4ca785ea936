"""`dcron token …`: API tokens, for machines and for the command line."""

from typing import Annotated
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.identity import ApiToken, ApiTokenList, ApiTokenMade, NewApiToken
from dcron_standalone.client import decoded
from dcron_standalone.grant_texts import grants_text, parse_grants
from dcron_standalone.job_commands import connected
from dcron_standalone.moments import ago, ahead
from dcron_standalone.terminal import note, say, say_table

app = App(name="token", help="API tokens: create, list, revoke.")

User = Annotated[str, Parameter(name=["--user", "-u"], help="Whose; none: one's own. Needs the role admin on *.")]


@app.command(name="create")
def create_token(name: str, *grants: str, user: User = "", expires_in: str = "90d") -> None:
    """Create a token and print its text, once.

    Parameters
    ----------
    name
        What it is for.
    grants
        What it may do at most, such as team=operator or '*=viewer'; none: all that its user may.
    user
        Whose it is to be.
    expires_in
        How long it lives, such as 90d; at most 365d.
    """
    wanted = NewApiToken(name=name, expires_in=expires_in, grants=parse_grants(grants) if grants else None)
    with connected() as client:
        query = f"?user={quote(user)}" if user else ""
        made = decoded(client.command("POST", f"{client.access.url}/api/v1/tokens{query}", body=wanted), ApiTokenMade)
    note(f"token {made.made.token_id} of {made.made.user}, until {made.made.expires_at.isoformat()}; not shown again:")
    say(made.token)


@app.command(name="ls")
def list_tokens(
    *,
    user: User = "",
    everybodys: Annotated[bool, Parameter(name="--all", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List tokens, the newest first.

    Parameters
    ----------
    everybodys
        Those of all users; needs the role admin on *.
    as_json
        Print JSON for programs.
    """
    parameters = {"user": user} if user else {}
    with connected() as client:
        url = f"{client.access.url}/api/v1/tokens"
        tokens = client.get(url, ApiTokenList, parameters | ({"all": "true"} if everybodys else {})).tokens
    if as_json:
        print(msgspec.json.encode(tokens).decode())
    elif tokens:
        say_table(_table(tokens))
    else:
        note("no tokens; `dcron token create NAME` makes one")


@app.command(name="revoke")
def revoke_token(token_id: str) -> None:
    """Revoke a token: it lets nobody in any more.

    Parameters
    ----------
    token_id
        As `dcron token ls` has it.
    """
    with connected() as client:
        client.command("DELETE", f"{client.access.url}/api/v1/tokens/{quote(token_id, safe='')}")
    say(f"{token_id} revoked")


def _table(tokens: tuple[ApiToken, ...]) -> Table:
    now = SystemClock().now()
    table = Table("token", "user", "name", "may", "created", "expires", "last used", box=None, header_style="bold")
    for token in tokens:
        table.add_row(
            token.token_id,
            Text(token.user),
            Text(token.name),
            "all of the user's" if token.grants is None else Text(grants_text(token.grants)),
            ago(token.created_at, now),
            ahead(token.expires_at, now),
            token.last_used_on or "-",
        )
    return table
