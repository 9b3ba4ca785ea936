"""What a new user, token or secret may be called and hold: one 422 that names the field, its value and the remedy."""

import re
from datetime import timedelta

from dcron_core.access.passwords import password_problem
from dcron_core.access.sealing import MOST_BYTES
from dcron_core.durations import parse_duration
from dcron_core.http.problems import ProblemError
from dcron_schemas.api import FieldProblem
from dcron_schemas.identity import EVERYWHERE, Grants
from dcron_schemas.types import NAME_PATTERN

RESERVED = frozenset({"anonymous", "bootstrap", "dcron", "metrics", "oidc"})  # actors of events that are no users
LONGEST_TOKEN_LIFE = timedelta(days=365)
MOST_GRANTS = 200
LONGEST_TEXT = 200
USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def invalid(field: str, value: str, message: str, remedy: str = "") -> ProblemError:
    """Return the answer to a field that is not taken. No value of a secret or password is to be given here."""
    problem = FieldProblem(field=field, value=value[:80], message=message, remedy=remedy)
    return ProblemError(422, "the request is not valid", f"{field}: {message}", errors=(problem,))


def check_user_name(name: str) -> None:
    """Raise unless a user may be called that."""
    if not USER_NAME.fullmatch(name):
        raise invalid("name", name, "is no name of a user", "1 to 128 letters, digits and . _ @ + -, no sign in front")
    if name.lower() in RESERVED:
        raise invalid("name", name, "is what dcron itself is called in the log", "choose another name")


def check_text(field: str, text: str, *, empty: bool = True) -> None:
    """Raise unless it is a line of text."""
    if len(text) > LONGEST_TEXT or (not empty and not text.strip()) or any(ord(each) < 0x20 for each in text):
        raise invalid(field, text, f"is not a line of {'at most' if empty else '1 to'} {LONGEST_TEXT} characters")


def check_grants(grants: Grants) -> None:
    """Raise unless each is of a namespace, or of all of them."""
    if len(grants) > MOST_GRANTS:
        raise invalid("grants", str(len(grants)), f"are more than {MOST_GRANTS}", "grant the role on *")
    for namespace in grants:
        if namespace != EVERYWHERE and not re.match(NAME_PATTERN, namespace):
            raise invalid("grants", namespace, "is no namespace", "the name of one, or * for all of them")


def check_password(user: str, password: str) -> None:
    """Raise unless the password is taken."""
    if problem := password_problem(user, password):
        raise invalid("password", "", problem, "choose a longer one; several words do well")


def token_life(text: str) -> timedelta:
    """Return how long a token is to live; raise for what is no time, or too long a one."""
    try:
        life = parse_duration(text)
    except ValueError as error:
        raise invalid("expires_in", text, str(error)) from None
    if not timedelta() < life <= LONGEST_TOKEN_LIFE:
        raise invalid("expires_in", text, f"is not within {LONGEST_TOKEN_LIFE.days} days")
    return life


def check_secret(namespace: str, name: str) -> None:
    """Raise unless a secret may be called that."""
    if not re.match(NAME_PATTERN, namespace):
        raise invalid("namespace", namespace, "is no namespace")
    if not SECRET_NAME.fullmatch(name):
        raise invalid("name", name, "is no name of a secret", "letters, digits and _, no digit in front, at most 128")


def check_secret_value(value: str) -> None:
    """Raise unless an environment variable can hold it."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise invalid("value", "", "is not text") from None
    if not 1 <= size <= MOST_BYTES or "\0" in value:
        raise invalid("value", "", f"has {size} bytes; 1 to {MOST_BYTES} are taken, and no NUL")
