"""The first user of a system: made once, without a password, and let in by a link that works once."""

from dcron_schemas.identity import EVERYWHERE, LoginLink, NewUser, UserList
from dcron_standalone.client import ApiError, Client, decoded

ADMIN = "admin"
CONFLICT = 409


def ensure_first_user(client: Client) -> bool:
    """Add the user `admin` if there is no user at all; tell whether `admin` is there and let in."""
    url = f"{client.access.url}/api/v1/users"
    users = client.get(url, UserList).users
    if not users:
        wanted = NewUser(name=ADMIN, display_name="Administrator", grants={EVERYWHERE: "admin"})
        try:
            client.command("POST", url, body=wanted)
        except ApiError as error:  # another one was faster
            if error.problem is None or error.problem.status != CONFLICT:
                raise
        return True
    return any(user.name == ADMIN and user.enabled for user in users)


def login_link(client: Client, user: str = ADMIN) -> str:
    """Return a link that logs the user in, once."""
    url = f"{client.access.url}/api/v1/users/{user}/login-links"
    return decoded(client.command("POST", url), LoginLink).url
