"""How long a line takes from a running job to the browser: printed → websocket frame received.

The job prints its clock, at irregular intervals from 10 to 150 ms; the client follows the run as the page does. First
there is one client, then there are 200 of the same run, all in one process; each client's frame counts.

The limit is the same record through Kafka alone: one bare producer, one bare consumer that tails the topic's one
partition, both in one process. It is measured before and after, on the same broker, with the stack running.
"""

import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from inspect import getsource
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import RunningStack, running_stack
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.ports.log import Topic
from dcron_schemas.api import Frame, OutputFrame
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.records import OutputChunk
from dcron_standalone.terminal import say

LINES = 400
VIEWERS = (1, 200)
WARM_UP_LINES = 20
GAPS_S = (0.01, 0.15)
SEED = 20
TOPIC = "bare"
GOAL_MS = 150.0

_frames: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every line arrives."""
    with running_stack() as stack:
        say(f"{LINES} lines, and {LINES} records past dcron, after {WARM_UP_LINES} of each to warm up")
        before = await _through_kafka(stack, LINES // 2)
        ours = {viewers: await _to_browsers(stack, viewers) for viewers in VIEWERS}
        bare = before + await _through_kafka(stack, LINES - LINES // 2)
    return [_result(viewers, ages_ms, bare, share) for viewers, ages_ms in ours.items() for share in (0.5, 0.99)]


def print_lines(begin: str, count: int, shortest_s: float, longest_s: float, seed: int) -> None:
    """Be the job: once there is a file `begin`, print the clock's nanoseconds, and words to a line of usual length."""
    while not Path(begin).exists():
        time.sleep(0.1)
    gaps = random.Random(seed)
    for number in range(count):
        time.sleep(gaps.uniform(shortest_s, longest_s))
        print(time.time_ns(), f"INFO worked on item {number}, all is well and nothing else is to be said", flush=True)


async def _to_browsers(stack: RunningStack, viewers: int) -> list[float]:
    """Run the job and follow it; return how old each line was when it arrived at each viewer, in ms."""
    client = stack.client
    token = {"Authorization": f"Bearer {client.access.token}"}
    with TemporaryDirectory(prefix="dcron-benchmark-") as directory:
        begin = Path(directory) / "begin"
        call = f"print_lines({str(begin)!r}, {WARM_UP_LINES + LINES}, {GAPS_S[0]}, {GAPS_S[1]}, {SEED})"
        script = f"import random, time\nfrom pathlib import Path\n{getsource(print_lines)}\n{call}"
        job = client.create(JobSpec(name=f"talkative-{viewers}", run=Run(argv=(sys.executable, "-c", script))))
        url = f"{client.log_ingester_url.replace('http', 'ws', 1)}/ws/executions/{client.run(job).execution_id}"
        all_there = asyncio.Barrier(viewers + 1)
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(_follow(url, token, all_there)) for _ in range(viewers)]
            await all_there.wait()
            begin.touch()
    return [age_ms for each in following for age_ms in _ages_ms(each.result())]


async def _follow(url: str, token: dict[str, str], all_there: asyncio.Barrier) -> list[tuple[int, bytes]]:
    """Return when each frame arrived; what is in it is looked at afterwards, so as not to hold up the next one."""
    arrived: list[tuple[int, bytes]] = []
    async with connect(url, additional_headers=token, proxy=None, open_timeout=30) as socket:
        with suppress(ConnectionClosedOK):
            while True:
                message = await socket.recv(decode=False)
                arrived.append((time.time_ns(), message))
                if len(arrived) == 1:
                    await all_there.wait()
    return arrived


def _ages_ms(arrived: list[tuple[int, bytes]]) -> list[float]:
    ages_ms: list[float] = []
    rest = ""
    for now_ns, message in arrived:
        frame = _frames.decode(message)
        if isinstance(frame, OutputFrame):
            *lines, rest = (rest + frame.chunk.text).split("\n")
            ages_ms += [_age_ms(line, now_ns) for line in lines]
    if len(ages_ms) != WARM_UP_LINES + LINES:
        raise BenchmarkError(f"{len(ages_ms)} of {WARM_UP_LINES + LINES} lines arrived")
    return ages_ms[WARM_UP_LINES:]


async def _through_kafka(stack: RunningStack, count: int) -> list[float]:
    """Send records and tail them; return how old each one was when it arrived, in ms."""
    bootstrap = stack.servers.kafka
    async with KafkaLog.open(bootstrap) as log, AsyncExitStack() as opened:
        await log.ensure_topics([Topic(TOPIC, partitions=1)])
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        opened.push_async_callback(producer.stop)
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
        consumer.assign([TopicPartition(TOPIC, 0)])
        await consumer.start()
        opened.push_async_callback(consumer.stop)
        await consumer.seek_to_end()
        sending = asyncio.create_task(_send(producer, WARM_UP_LINES + count))
        ages_ms = []
        for _ in range(WARM_UP_LINES + count):
            record = await consumer.getone()
            now_ns = time.time_ns()
            ages_ms.append(_age_ms(msgspec.json.decode(record.value, type=OutputChunk).text, now_ns))
        await sending
    return ages_ms[WARM_UP_LINES:]


async def _send(producer: AIOKafkaProducer, count: int) -> None:
    gaps = random.Random(SEED)
    job_id = "0198f5a0-1111-7000-8000-000000000001"
    for seq in range(count):
        await asyncio.sleep(gaps.uniform(*GAPS_S))
        text = f"{time.time_ns()} INFO worked on item {seq}, all is well and nothing else is to be said\n"
        at = datetime.now(UTC)
        chunk = OutputChunk(
            execution_id=f"{job_id}.t1763800000000.1", job_id=job_id, seq=seq, stream="stdout", at=at, text=text
        )
        await producer.send(TOPIC, encode(chunk), chunk.execution_id.encode())


def _age_ms(line: str, now_ns: int) -> float:
    return (now_ns - int(line.split(maxsplit=1)[0])) / 1e6


def _result(viewers: int, ours: list[float], bare: list[float], share: float) -> Result:
    value, limit = percentile(ours, share), percentile(bare, share)
    name = "line_latency" if viewers == 1 else f"line_latency_{viewers}_viewers"
    return result(f"{name}_p{share * 100:.0f}", "ms", value, limit, f"at most {GOAL_MS:g} ms", met=value <= GOAL_MS)
