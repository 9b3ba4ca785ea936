"""A crontab for a benchmark: many jobs, created over HTTP by some clients at a time."""

import asyncio
from collections.abc import Sequence

import msgspec

from benchmarks.http_client import Connection
from benchmarks.stack import TOKEN
from dcron_schemas.api import Job
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec

CLIENTS = 20


async def create_jobs(master_url: str, specs: Sequence[JobSpec], token: str = TOKEN) -> list[Job]:
    """Create the jobs; return them in no particular order."""
    left = list(specs)
    created: list[Job] = []

    async def client() -> None:
        async with Connection.open(master_url, token) as connection:
            while left:
                answer = await connection.post("/api/v1/jobs", encode(left.pop()))
                created.append(msgspec.json.decode(answer, type=Job))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return created
