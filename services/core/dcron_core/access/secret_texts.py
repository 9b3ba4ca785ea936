"""The random texts that let somebody in: of sessions, login links and API tokens; and what is kept of them. Pure.

Each has 256 random bits, so its plain SHA-256 tells nobody the text, and nobody guesses one.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from dcron_core.ids import IdSource

TOKEN_PREFIX = "dcron_"  # noqa: S105  of API tokens, so that people and scanners know one when they see it
SESSION_COOKIE = "dcron_session"


def new_text(ids: IdSource) -> str:
    """Return 43 characters that may stand in a URL and in a cookie."""
    return urlsafe_b64encode(bytes.fromhex(ids.token(256))).rstrip(b"=").decode()


def new_token(ids: IdSource) -> str:
    """Return the text of an API token."""
    return TOKEN_PREFIX + new_text(ids)


def digest_of(text: str) -> str:
    """Return what is kept of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def csrf_of(session_text: str) -> str:
    """Return the CSRF token of a session: whoever cannot read the cookie, or the session's answer, cannot know it."""
    return hmac.new(session_text.encode(), b"dcron csrf token v1", hashlib.sha256).hexdigest()
