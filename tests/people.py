"""Users who talk to a master: with a browser's cookies, or with an API token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

CLUSTER_KEY = "c1" * 32
PASSWORD = "a staple of horses"


class Browser:
    """Holds cookies, and sends what a page of the system's own sends along."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf = ""

    async def session(self) -> dict[str, Any]:
        """Ask who one is; keep the CSRF token."""
        answer = await self.client.get("/api/v1/session")
        assert answer.status_code == 200, answer.text
        self.csrf = answer.json()["csrf"]
        return dict(answer.json())

    async def log_in(self, user: str, password: str) -> httpx.Response:
        """Send the form of the login page."""
        origin = {"Origin": str(self.client.base_url).rstrip("/")}
        answer = await self.client.post("/login", data={"user": user, "password": password}, headers=origin)
        if answer.status_code == 303:
            await self.session()
        return answer

    async def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send what changes something."""
        headers = {"Origin": str(self.client.base_url).rstrip("/"), "X-CSRF-Token": self.csrf}
        return await self.client.request(method, path, headers=headers, **arguments)


@asynccontextmanager
async def browser(port: int) -> AsyncIterator[Browser]:
    """Open a browser that nobody is logged in with."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
        yield Browser(client)


async def add_user(client: httpx.AsyncClient, name: str, grants: dict[str, str], password: str = PASSWORD) -> None:
    """Add a user, by whoever may."""
    wanted = {"name": name, "grants": grants, "password": password}
    answer = await client.post("/api/v1/users", json=wanted)
    assert answer.status_code == 201, answer.text


async def link_of(client: httpx.AsyncClient, name: str) -> str:
    """Have a login link made; return its path."""
    answer = await client.post(f"/api/v1/users/{name}/login-links")
    assert answer.status_code == 201, answer.text
    return httpx.URL(answer.json()["url"]).raw_path.decode()


def with_token(port: int, token: str) -> httpx.AsyncClient:
    """Return a client that comes with a bearer token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10, trust_env=False)
