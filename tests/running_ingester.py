"""A log-ingester on real Kafka and a server of MongoDB's protocol, as its clients and workers see it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import SystemClock
from dcron_core.ids import IdSource
from dcron_core.ports.log import Producer
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.service import LogIngester, open_log_ingester, plan_of
from dcron_schemas.codec import encode
from dcron_schemas.records import ExecutionRecord, OutputChunk
from dcron_standalone.servers import LocalServers
from tests.names import Names

TOKEN = "an-acceptance-token"

PAGE = "http://127.0.0.1:8700"

MAKER = AccessTokenMaker("5e" * 32, SystemClock())
OTHER_JOB = "0198f5a0-2222-7000-8000-000000000002"


class Face:
    """A running log-ingester, as its clients and workers see it."""

    def __init__(self, service: LogIngester, settings: LogIngesterSettings, producer: Producer) -> None:
        self.service = service
        self.settings = settings
        self._producer = producer
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{service.port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )

    async def send(self, *records: ExecutionRecord | bytes, key: str = "") -> None:
        """Append records as a worker does."""
        answers = []
        for record in records:
            value = record if isinstance(record, bytes) else encode(record)
            answers.append(await self._producer.submit(self.settings.executions_topic, key or _key(record), value))
        await asyncio.gather(*answers)

    def view(self, path: str, **headers: str) -> connect:
        """Open the websocket at `path`."""
        return connect(
            f"ws://127.0.0.1:{self.service.port}{path}",
            additional_headers=headers or {"Authorization": f"Bearer {TOKEN}"},
        )

    async def json(self, path: str, **parameters: Any) -> Any:
        answer = await self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def stored(self, execution_id: str, status: str) -> Any:
        """Wait until the run is stored with that status; return it."""

        async def there() -> bool:
            answer = await self.http.get(f"/api/v1/executions/{execution_id}")
            return answer.status_code == 200 and answer.json()["status"] == status

        await until(there)
        return await self.json(f"/api/v1/executions/{execution_id}")


def _key(record: ExecutionRecord | bytes) -> str:
    match record:
        case bytes():
            return "unknown"
        case OutputChunk():
            return record.execution_id
        case _:
            return record.execution.execution_id


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)


def settings_for(servers: LocalServers, names: Names) -> LogIngesterSettings:
    return LogIngesterSettings(
        token=TOKEN,
        trusted_keys=MAKER.public_key.public_bytes_raw().hex(),
        kafka=servers.kafka,
        topic_prefix=names.topic_prefix,
        log_ingester_port=0,
        mongodb=servers.mongodb,
        mongodb_database=names.database,
        consumer_group=names.consumer_group,
        execution_partitions=3,
        retention="36500d",  # the records of these tests are of a fixed day; none may expire
        allowed_origins=PAGE,
    )


@asynccontextmanager
async def running(settings: LogIngesterSettings) -> AsyncIterator[Face]:
    async with KafkaLog.open(settings.kafka) as log:
        await log.ensure_topics(plan_of(settings).topics)
        async with (
            log.producer() as producer,
            open_log_ingester(settings, SystemClock(), IdSource(), log) as service,
        ):
            face = Face(service, settings, producer)
            async with face.http:
                await until(lambda: ready(face))
                yield face


async def ready(face: Face) -> bool:
    return (await face.http.get("/readyz")).status_code == 200


async def frames_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return all frames until the service closes."""
    frames: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                frames.append(json.loads(await socket.recv()))
    return frames


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["chunk"]["seq"] for frame in frames if frame["frame"] == "output"]
