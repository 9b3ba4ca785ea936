"""How a list goes back through time: window after window, each as wide as the last one was quick (pure).

A query that asks for the newest runs of a filter can be answered from an index, but not by every server, and not
when the filter holds what no index has. So a list asks for a span of due instants at a time: at first the last
seconds, then four times as much, and so on while answers come quickly. What one question costs is bounded by its
window, and a search can stop between two of them and say how far it came.

Where nothing was due for a while the windows have grown when they reach the newest run, and would then hold very many
runs. So a walk that knows of a run lets a window end there, and begins anew with a narrow one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from dcron_log_ingester.batches import Document, stored_instant
from dcron_log_ingester.cursors import Cursor

FIRST_WIDTH = timedelta(seconds=10)
WIDEST = timedelta(days=400)  # beyond that, all the rest at once
GROWTH = 4
QUICK_S = 0.05  # an answer that took longer is not followed by a wider question

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Window(Struct, frozen=True):
    """The runs after `after` in the order of lists (newest due first), due at or after `since`."""

    after: Cursor | None  # None: from the newest on
    since: datetime | None  # None: without bound


class Walk:
    """Where a list is on its way back through time."""

    def __init__(
        self,
        now: datetime,
        *,
        after: Cursor | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        first_width: timedelta = FIRST_WIDTH,
        landmark: datetime | None = None,  # when some run was due, of those that may be the newest
    ) -> None:
        if end is not None and (after is None or after.due_at >= end):
            after = Cursor(end, "")  # no id is before the empty one: nothing due at `end` itself
        self.position = after  # what was looked at already ends here
        self.over = False
        self._now = now
        self._start = start
        self._first_width = self._width = first_width
        self._landmark = landmark

    @property
    def window(self) -> Window:
        """What to look at next."""
        return Window(self.position, self._since())

    def passed(self, document: Document) -> None:
        """Go on after this run."""
        self.position = Cursor(document["due_at"], document["_id"])

    def answered(self, documents: Sequence[Document], limit: int, took_s: float) -> None:
        """Go on after what was found in the window, of which at most `limit` were asked for."""
        if len(documents) >= limit:
            self.passed(documents[-1])
            return
        since = self._since()
        if since is None or since == self._start:
            self.over = True
            return
        self.position = Cursor(since, "")
        if since == self._landmark:
            self._width = self._first_width
        elif took_s <= QUICK_S:
            self._width *= GROWTH

    def _since(self) -> datetime | None:
        """Return where the window begins: a function of the position and the width."""
        top = self._now if self.position is None else min(self.position.due_at, self._now)
        since = None
        if self._width <= WIDEST and top - _EARLIEST > self._width:
            since = stored_instant(top - self._width)
        if self._landmark is not None and self._landmark < top:
            since = self._landmark if since is None else max(since, self._landmark)
        return max(filter(None, (since, self._start)), default=None)
