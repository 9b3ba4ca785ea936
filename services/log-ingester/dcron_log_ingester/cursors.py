"""Where the next page begins: an opaque text that names the last run of the page before (pure).

Runs are ordered by due instant and id, newest first. Naming a run instead of a number keeps pages right while
new runs come in at the front.
"""

import base64
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from dcron_schemas.api import ExecutionView


class Cursor(Struct, frozen=True, array_like=True):
    """The last run of a page."""

    due_at: datetime
    execution_id: str


def cursor_after(view: ExecutionView) -> str:
    """Return the cursor of the page that begins after `view`."""
    return cursor_text(Cursor(view.due_at, view.execution_id))


def cursor_text(cursor: Cursor) -> str:
    """Return the cursor as its holder sees it."""
    plain = msgspec.json.encode(cursor)
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def parse_cursor(text: str) -> Cursor:
    """Return the cursor; raise ValueError if it is not one that `cursor_after` gave."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(plain, type=Cursor)
        return Cursor(cursor.due_at.astimezone(UTC), cursor.execution_id)
    except (ValueError, OverflowError, msgspec.DecodeError) as error:
        raise ValueError(f"not a cursor: {error}") from error
