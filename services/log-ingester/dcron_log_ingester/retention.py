"""How long what is stored of a job is kept: its own `retention`, or the log-ingester's setting.

The log of job events is read beside the log of runs and may be behind it. A job's creation is in the log before
its first run starts, so a job that is not known yet is waited for, once and for a bounded time; a log of job
events that cannot be read does not stop the runs from being stored.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta

from dcron_core.durations import parse_duration
from dcron_core.errors import LogMismatchError, UnavailableError
from dcron_core.history import History
from dcron_core.telemetry import get_logger

CATCH_UP_S = 30.0  # how long the first batch waits for the history
NEWS_S = 2.0  # how long a batch waits for a job that the history does not know
MOST_UNKNOWN = 10_000  # job ids that were waited for in vain; more are forgotten

log = get_logger()


class Retentions:
    """The retention of each job, as the log of job events has it."""

    def __init__(
        self, history: History, default: timedelta, *, catch_up_s: float = CATCH_UP_S, news_s: float = NEWS_S
    ) -> None:
        self._history = history
        self._default = default
        self._catch_up_s = catch_up_s
        self._news_s = news_s
        self._waited = False
        self._last: dict[str, timedelta] = {}  # of jobs that had one of their own, deleted ones too
        self._unknown: set[str] = set()

    def of(self, job_id: str) -> timedelta:
        """Return how long the records of the job are kept."""
        entry = self._history.table.get(job_id)
        if entry is None:
            return self._last.get(job_id, self._default)
        if entry.spec.retention is None:
            self._last.pop(job_id, None)
            return self._default
        retention = parse_duration(entry.spec.retention)
        self._last[job_id] = retention
        return retention

    async def know(self, job_ids: Iterable[str]) -> None:
        """Wait until the history knows these jobs, or says that there are none, or the time is over."""
        if not self._waited:
            self._waited = True
            await self._wait(self._history.caught_up.wait(), self._catch_up_s)
        new = {each for each in job_ids if self._history.table.get(each) is None} - self._unknown - self._last.keys()
        if not new:
            return
        await self._wait(self._history.at_end(), self._news_s)
        gone = {each for each in new if self._history.table.get(each) is None}
        if len(self._unknown) + len(gone) > MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown |= gone

    async def _wait(self, news: Awaitable[object], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await news
        except (TimeoutError, UnavailableError, LogMismatchError) as error:
            log.warning(
                "jobs are not known; what is stored of them gets the default retention",
                action="retention.unknown",
                error=str(error) or f"the history did not say more within {timeout_s:g} s",
            )
