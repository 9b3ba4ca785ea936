"""How long a line takes from a running job to the browser: printed → websocket frame received.

The job prints its clock, at irregular intervals from 10 to 150 ms; the client follows the run as the page does.

The limit is the same record through Kafka alone: one bare producer, one bare consumer that tails the topic's one
partition, both in one process. It is measured before and after, on the same broker, with the stack running.
"""

import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from inspect import getsource

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from websockets.asyncio.client import connect

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
        ours = await _to_the_browser(stack)
        bare = before + await _through_kafka(stack, LINES - LINES // 2)
    return [_result("line_latency_p50", ours, bare, 0.5), _result("line_latency_p99", ours, bare, 0.99)]


def print_lines(count: int, shortest_s: float, longest_s: float, seed: int) -> None:
    """Be the job: print the clock's nanoseconds, and words to make a line of usual length."""
    gaps = random.Random(seed)
    for number in range(count):
        time.sleep(gaps.uniform(shortest_s, longest_s))
        print(time.time_ns(), f"INFO worked on item {number}, all is well and nothing else is to be said", flush=True)


async def _to_the_browser(stack: RunningStack) -> list[float]:
    """Run the job and follow it; return how old each line was when it arrived, in ms."""
    call = f"print_lines({WARM_UP_LINES + LINES}, {GAPS_S[0]}, {GAPS_S[1]}, {SEED})"
    script = f"import random, time\n{getsource(print_lines)}\n{call}"
    client = stack.client
    job = client.create(JobSpec(name="talkative", run=Run(argv=(sys.executable, "-c", script))))
    execution_id = client.run(job).execution_id
    url = f"{client.log_ingester_url.replace('http', 'ws', 1)}/ws/executions/{execution_id}"
    ages_ms: list[float] = []
    rest = ""
    token = {"Authorization": f"Bearer {client.access.token}"}
    async with connect(url, additional_headers=token, proxy=None) as socket:
        async for message in socket:
            now_ns = time.time_ns()
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


def _result(name: str, ours: list[float], bare: list[float], share: float) -> Result:
    value, limit = percentile(ours, share), percentile(bare, share)
    return result(name, "ms", value, limit, f"at most {GOAL_MS:g} ms", met=value <= GOAL_MS)
