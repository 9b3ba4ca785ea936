"""`dcron login` and `dcron logout`: this user's own token at a dcron, got with a password or brought along."""

import getpass
import os
import socket
import sys
from contextlib import closing
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from cyclopts import Parameter

from dcron_schemas.identity import ApiTokenMade, NewApiToken, Session
from dcron_standalone.client import LOOPBACK_HOSTS, TIMEOUT, ApiError, Client, decoded, find_access, refusal, trusting
from dcron_standalone.credentials_file import CredentialsFile, Login
from dcron_standalone.data_directory import Access
from dcron_standalone.terminal import note, say

WRONG = 401


def log_in(
    url: str = "",
    *,
    user: Annotated[str, Parameter(name=["--user", "-u"])] = "",
    token_from_stdin: Annotated[bool, Parameter(name="--token-stdin", negative="")] = False,
    expires_in: str = "30d",
) -> None:
    """Log in at a dcron, with a password or with a token. The next commands use it.

    Parameters
    ----------
    url
        Of the dcron; none: DCRON_URL, or the one that is used now.
    user
        Who logs in; asked for if it is missing. The password is asked for, or is the first line of stdin.
    token_from_stdin
        In place of a password: an API token, as the page of dcron makes it, is the first line of stdin.
    expires_in
        How long the token is to live that is got for the password.
    """
    url = (url or os.environ.get("DCRON_URL") or find_access().url).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ApiError(f"{url!r} is no URL of a dcron, such as https://dcron.example.org")
    token = _first_line("token") if token_from_stdin else _token_for_password(url, user, expires_in)
    with closing(Client(Access(url, token, os.environ.get("DCRON_CA", "")))) as client:
        session = client.get(f"{url}/api/v1/session", Session)
    file = CredentialsFile()
    file.keep(url, Login(token, session.user))
    say(f"logged in at {url} as {session.user}")
    note(f"the token is in {file.path}; `dcron logout` revokes it")


def log_out(url: str = "") -> None:
    """Revoke the token that `dcron login` got, and forget it.

    Parameters
    ----------
    url
        Of the dcron; none: the last one that was logged in at.
    """
    file = CredentialsFile()
    logins = file.read()
    url = (url or logins.current).rstrip("/")
    login = logins.by_url.get(url)
    if login is None:
        raise ApiError(f"nobody is logged in at {url or 'any dcron'}; `dcron login URL` logs in")
    try:
        with closing(Client(Access(url, login.token, os.environ.get("DCRON_CA", "")))) as client:
            client.command("POST", f"{url}/api/v1/session/logout")
    except ApiError as error:
        if error.problem is None or error.problem.status != WRONG:  # then it has expired, or was revoked before
            raise
    file.forget(url)
    say(f"logged out at {url}")


def _token_for_password(url: str, user: str, expires_in: str) -> str:
    """Log in as a browser does, have a token made, and log out again."""
    user = user or input("user: ")
    password = getpass.getpass(f"password of {user}: ") if sys.stdin.isatty() else _first_line("password")
    trust_env = urlsplit(url).hostname not in LOOPBACK_HOSTS
    verify = trusting(os.environ.get("DCRON_CA", ""))
    headers = {"Origin": url, "Accept": "application/json"}
    with httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=trust_env, verify=verify, headers=headers) as browser:
        try:
            answer = browser.post("/login", data={"user": user, "password": password})
            if answer.status_code != httpx.codes.SEE_OTHER:
                raise _not_let_in(answer)
            browser.headers["X-CSRF-Token"] = decoded(browser.get("/api/v1/session"), Session).csrf
            wanted = NewApiToken(name=f"dcron login on {socket.gethostname()}"[:200], expires_in=expires_in)
            made = browser.post("/api/v1/tokens", json={"name": wanted.name, "expires_in": wanted.expires_in})
            browser.post("/api/v1/session/logout")
        except httpx.HTTPError as error:
            raise ApiError(f"nothing answers at {url}: {error!r}") from error
    if not made.is_success:
        raise refusal(made)
    return decoded(made, ApiTokenMade).token


def _not_let_in(answer: httpx.Response) -> ApiError:
    if wait_s := answer.headers.get("retry-after"):
        return ApiError(f"not let in: too many attempts, or dcron is busy; try again in {wait_s} s")
    if answer.status_code == WRONG:
        return ApiError("not let in: the user or the password is not right")
    return ApiError(f"not let in: {answer.url} answered {answer.status_code}; is that a dcron?")


def _first_line(what: str) -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise ApiError(f"stdin has no {what} on its first line")
    return line
