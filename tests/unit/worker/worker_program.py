"""A whole worker on memory ports as a process of its own, with one job that is asked to run at once.

    python -m tests.unit.worker.worker_program DATA SPEC

It writes the guard's process id into DATA/guard, and goes on until it is killed.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry, RunWanted
from tests.services import KEYS, Ports


async def main(data: Path, spec: JobSpec) -> None:
    ports = Ports()
    now = ports.clock.now()
    entry = JobEntry(
        job_id="id", version=1, spec=spec, anchor=now, position=1, created_at=now, updated_at=now, updated_by="test"
    )
    run = RunWanted(execution_id="id.r1.1", job_id="id", trigger="request", requested_at=now, requested_by="test")
    puts = (Put(KEYS.job("id"), encode(entry)), Put(KEYS.run(run.execution_id), encode(run)))
    async with ports.worker(data) as worker:
        (data / "guard").write_text(str(worker.guard.pid))
        await ports.store.transact(Transaction((), puts))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=JobSpec)))
