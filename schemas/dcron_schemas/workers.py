"""The bodies of the master's HTTP answers about workers, under `/api/v1/workers`."""

from datetime import datetime
from typing import Literal

from msgspec import Struct


class WorkerView(Struct, frozen=True, kw_only=True):
    """A worker, as it registered itself; one that is gone is shown only while it is wanted to be drained."""

    worker_id: str
    state: Literal["active", "draining", "clock_wrong", "gone"]  # draining: claims nothing; what it runs goes on
    drained_by: str | None  # who wants it to claim nothing; null: nobody
    drained_at: datetime | None
    host: str
    pid: int
    version: str
    started_at: datetime | None
    slots: int
    labels: dict[str, str]
    clock_offset_ms: float | None  # null: not measured
    spool: str = ""  # what is wrong with its spool: output is cut, or its disk takes nothing; "": nothing
    verifies: bool = False  # it runs only what masters signed
    refused: str = ""  # how much in etcd it does not run, because no trusted key vouches for it; "": nothing


class WorkerList(Struct, frozen=True, kw_only=True):
    """All workers, by id."""

    workers: tuple[WorkerView, ...]
