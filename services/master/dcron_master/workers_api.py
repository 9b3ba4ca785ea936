"""The workers over HTTP, under `/api/v1/workers`: who there is, and who is to claim nothing.

A wish to drain stands in etcd under `drains/{worker_id}`, without a lease: it holds over restarts of the worker,
until it is taken away. The worker claims nothing while it stands; what it runs goes on.
"""

import asyncio
from typing import Any, TypeVar

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec.structs import replace

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import ANYBODY_LOGGED_IN, SYSTEM, ruled
from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_core.http.problems import ProblemError
from dcron_core.keys import Keys
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.store import Delete, KeyValue, KeyValueStore, Put, Transaction
from dcron_core.selectors import parse_selector
from dcron_core.telemetry import get_logger
from dcron_schemas.codec import UndecodableError, decode_state, encode
from dcron_schemas.state import DrainWanted, WorkerEntry
from dcron_schemas.workers import WorkerList, WorkerView

T = TypeVar("T")
MOST_ASKED = 100  # workers that one request runs a job on: what it writes goes into one transaction

log = get_logger()


class Workers:
    """The workers and the wishes to drain them, as etcd has them."""

    def __init__(self, store: KeyValueStore, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._entries, self._drains = Mirror(), Mirror()

    async def run(self) -> None:
        """Follow etcd until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(self._entries, self._keys.workers))
            group.create_task(self._follow(self._drains, self._keys.drains))

    async def _follow(self, mirror: Mirror, prefix: str) -> None:
        async for update in follow(self._store, prefix):
            mirror.apply(update)

    def views(self) -> list[WorkerView]:
        """Return the workers that are registered, and those that are to be drained when they come back, by id."""
        if not (self._entries.revision and self._drains.revision):
            raise UnavailableError("this master has not read the workers from etcd yet")
        registered = {key.removeprefix(self._keys.workers) for key in self._entries.items}
        drained = {key.removeprefix(self._keys.drains) for key in self._drains.items}
        return [self.view(worker_id) for worker_id in sorted(registered | drained)]

    def matching(self, labels: str) -> tuple[str, ...]:
        """Return the workers that claim and match a label selector; raise ProblemError if they are too many to ask."""
        try:
            matches = parse_selector(labels).matches if labels else lambda _: True
        except ValueError:  # validation would have refused it; nobody matches, as workers see it
            return ()
        claiming = [view for view in self.views() if view.state == "active" and view.drained_by is None]
        found = tuple(view.worker_id for view in claiming if matches(view.labels))
        if len(found) > MOST_ASKED:
            detail = (
                f"{len(found)} workers match {labels!r}; a request reaches {MOST_ASKED}, so narrow placement.labels"
            )
            raise ProblemError(409, "too many workers match", detail)
        return found

    def view(self, worker_id: str) -> WorkerView:
        """Return one worker; raise ProblemError if nothing is known of it."""
        registered = self._entries.items.get(self._keys.worker(worker_id))
        drained = self._drains.items.get(self._keys.drain(worker_id))
        if registered is None and drained is None:
            detail = f"{worker_id!r}: GET /api/v1/workers lists those there are"
            raise ProblemError(404, "there is no such worker", detail)
        entry, drain = _read(WorkerEntry, registered), _read(DrainWanted, drained)
        return WorkerView(
            worker_id=worker_id,
            state=entry.state if entry else "gone",
            drained_by=drain.requested_by if drain else None,
            drained_at=drain.requested_at if drain else None,
            host=entry.host if entry else "",
            pid=entry.pid if entry else 0,
            version=entry.version if entry else "",
            started_at=entry.started_at if entry else None,
            slots=entry.slots if entry else 0,
            labels=entry.labels if entry else {},
            clock_offset_ms=entry.clock_offset_ms if entry else None,
            spool=entry.spool if entry else "",
            verifies=entry.verifies if entry else False,
            refused=entry.refused if entry else "",
        )

    async def drain(self, worker_id: str, actor: str) -> WorkerView:
        """Let the worker claim nothing from now on."""
        view = self.view(worker_id)
        if view.drained_by is not None:
            return view
        wish = DrainWanted(requested_by=actor, requested_at=self._clock.now())
        await self._store.transact(Transaction((), (Put(self._keys.drain(worker_id), encode(wish)),)))
        log.info("a worker is to be drained", action="workers.drain", worker_id=worker_id, actor=actor)
        return replace(view, drained_by=wish.requested_by, drained_at=wish.requested_at)

    async def undrain(self, worker_id: str, actor: str) -> WorkerView:
        """Let the worker claim again."""
        view = self.view(worker_id)
        await self._store.transact(Transaction((), (Delete(self._keys.drain(worker_id)),)))
        log.info("a worker is to claim again", action="workers.undrain", worker_id=worker_id, actor=actor)
        return replace(view, drained_by=None, drained_at=None)


def _read(kind: type[T], item: KeyValue | None) -> T | None:
    try:
        return decode_state(kind, item.value) if item else None
    except UndecodableError as error:
        log.error("a worker's value cannot be read", action="workers.unreadable", error=str(error))
        return None


class WorkerController(Controller):
    """Workers: read from etcd, drained through it."""

    path = "/api/v1/workers"
    tags = ("workers",)

    @get(opt=ruled(ANYBODY_LOGGED_IN))
    async def list_workers(self, workers: NamedDependency[Workers]) -> WorkerList:
        """List the workers that are registered, and those that are to be drained when they come back."""
        return WorkerList(workers=tuple(workers.views()))

    @post("/{worker_id:str}/drain", status_code=202, opt=ruled(SYSTEM("operator")))
    async def drain_worker(
        self, request: Request[Any, Any, Any], worker_id: FromPath[str], workers: NamedDependency[Workers]
    ) -> WorkerView:
        """Let a worker claim nothing until it is undrained; what it runs goes on."""
        return await workers.drain(worker_id, principal_of(request.scope).name)

    @post("/{worker_id:str}/undrain", status_code=202, opt=ruled(SYSTEM("operator")))
    async def undrain_worker(
        self, request: Request[Any, Any, Any], worker_id: FromPath[str], workers: NamedDependency[Workers]
    ) -> WorkerView:
        """Let a worker claim again."""
        return await workers.undrain(worker_id, principal_of(request.scope).name)
