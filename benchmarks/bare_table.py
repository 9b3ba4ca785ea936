"""The least that a worker on a large crontab can be: `python -m benchmarks.bare_table HOST:PORT KIND=PREFIX …`.

An asyncio process that reads those prefixes from etcd, decodes every value, says `ready`, and then holds them, idle.
"""

import asyncio
import sys

import grpc.aio
import msgspec
from etcd3 import etcdrpc

from dcron_schemas.state import JobEntry, TickCursor

KINDS = {"job": JobEntry, "cursor": TickCursor}
PAGE_KEYS = 10_000
OPTIONS = (("grpc.max_receive_message_length", -1),)


async def main(address: str, *parts: str) -> None:
    """Hold the table until killed."""
    held: dict[str, object] = {}
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        keys = etcdrpc.KVStub(channel)
        for part in parts:
            kind, _, prefix = part.partition("=")
            decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(KINDS[kind])
            start, more = prefix.encode(), True
            while more:
                request = etcdrpc.RangeRequest(key=start, range_end=_after(prefix), limit=PAGE_KEYS)
                response = await keys.Range(request)
                held |= {item.key.decode(): decoder.decode(item.value) for item in response.kvs}
                more = response.more
                start = response.kvs[-1].key + b"\0" if more else start
        print("ready", len(held), flush=True)
        await asyncio.Event().wait()


def _after(prefix: str) -> bytes:
    end = prefix.encode()
    return end[:-1] + bytes([end[-1] + 1])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
