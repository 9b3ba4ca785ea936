"""Which runs are wanted, as queries that one index each can answer (pure)."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from dcron_log_ingester.batches import Document, stored_instant
from dcron_schemas.api import Status

MOST_SINGLE_NAMESPACES = 16
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def bounds(start: datetime | None, end: datetime | None) -> Document:
    """Return the condition on an instant: `start` ≤ it < `end`.

    Stored instants are whole milliseconds, so the first bound is written as *after the millisecond before*. It is
    the same, and SecantusDB misses what equals an inclusive bound of a descending index.
    """
    condition: Document = {}
    if start is not None and start > _EARLIEST:
        condition["$gt"] = stored_instant(start - timedelta(microseconds=1))
    if end is not None:
        condition["$lt"] = end
    return condition


class ExecutionFilter(Struct, frozen=True, kw_only=True):
    """Which runs to find; None or empty: any."""

    job_ids: tuple[str, ...] = ()  # one of them
    job_name: str | None = None  # as it was when the run began
    namespaces: frozenset[str] | None = None  # one of them; of none, if there is none
    statuses: tuple[Status, ...] = ()  # one of them
    worker_id: str | None = None
    trigger: str | None = None
    start: datetime | None = None  # due at or after
    end: datetime | None = None  # due before
    min_duration_ms: int | None = None  # of runs whose end is known
    max_duration_ms: int | None = None

    def queries(self) -> list[Document]:
        """Return queries that together find the runs, each once, whenever they were due.

        A query for several jobs, statuses or namespaces would have to sort what it found: one for each takes
        the order from an index.
        """
        plain: Document = {
            name: value for name in ("job_name", "worker_id", "trigger") if (value := getattr(self, name)) is not None
        }
        span = {"$gte": self.min_duration_ms, "$lte": self.max_duration_ms}
        if bounded := {operator: bound for operator, bound in span.items() if bound is not None}:
            plain["duration_ms"] = bounded
        statuses = tuple(dict.fromkeys(self.statuses))
        if not self.job_ids:
            return [
                plain | status | where
                for status in [{"status": each} for each in statuses] or [{}]
                for where in self._each_namespace()
            ]
        plain |= self._any_namespace()
        if len(statuses) == 1:
            plain["status"] = statuses[0]
        elif statuses:
            plain["status"] = {"$in": list(statuses)}
        return [plain | {"job_id": job_id} for job_id in dict.fromkeys(self.job_ids)]

    def query(self) -> Document:
        """Return it as one query, its span of time included: for what needs no order."""
        several = {"job_id": self.job_ids, "status": self.statuses}
        one = replace(self, job_ids=(), statuses=(), namespaces=None).queries()[0] | self._any_namespace()
        one |= {
            name: {"$in": list(values)} if len(values) > 1 else values[0] for name, values in several.items() if values
        }
        due = bounds(self.start, self.end)
        return one | {"due_at": due} if due else one

    def _each_namespace(self) -> list[Document]:
        """Return conditions of which each takes the order from the namespaces' index; of very many, one for all."""
        if self.namespaces is None:
            return [{}]
        if len(self.namespaces) > MOST_SINGLE_NAMESPACES:
            return [self._any_namespace()]
        return [{"namespace": each} for each in sorted(self.namespaces)]

    def _any_namespace(self) -> Document:
        if self.namespaces is None:
            return {}
        only = sorted(self.namespaces)
        return {"namespace": only[0] if len(only) == 1 else {"$in": only}}
