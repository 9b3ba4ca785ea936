"""Output: nothing is lost, split within a character or out of order (G9), and a line is seen at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.clock import SystemClock
from dcron_worker.output import CHUNK_BYTES, HELD_BYTES, Chunk, OutputReader, output_of
from dcron_worker.process import start_process
from dcron_worker.program import program_of

CLOCK = SystemClock()
PARTS = [b"\xf0\x9f", b"\x98\x80", b"\xe2", b"\x82\xac", b"\r", b"\x1b["]  # of characters and escapes


@dataclass
class Pipes:
    """A reader, and the writing ends that feed it."""

    reader: OutputReader
    out: int
    err: int

    def end(self) -> None:
        os.close(self.out)
        os.close(self.err)


@asynccontextmanager
async def pipes() -> AsyncIterator[Pipes]:
    (out_read, out), (err_read, err) = os.pipe(), os.pipe()
    for descriptor in (out_read, err_read):
        os.set_blocking(descriptor, False)
    reader = OutputReader(out_read, err_read, CLOCK)
    try:
        async with asyncio.timeout(30):
            yield Pipes(reader, out, err)
    finally:
        reader.close()


async def rest_of(reader: OutputReader) -> list[Chunk]:
    return [chunk async for chunk in reader]


def text_of(chunks: list[Chunk], stream: str = "stdout") -> str:
    return "".join(chunk.text for chunk in chunks if chunk.stream == stream)


async def test_a_part_of_a_line_is_there_at_once() -> None:
    async with pipes() as fed:
        before = CLOCK.monotonic()
        os.write(fed.out, b"Password: ")
        chunk = await anext(fed.reader)
        assert CLOCK.monotonic() - before < 0.04
        assert (chunk.seq, chunk.stream, chunk.text) == (0, "stdout", "Password: ")
        fed.end()


async def test_what_follows_within_50_ms_is_put_together() -> None:
    async with pipes() as fed:
        os.write(fed.out, b"first\n")
        await anext(fed.reader)
        sent_at = CLOCK.monotonic()
        following = asyncio.create_task(anext(fed.reader))
        for number in range(5):
            os.write(fed.out, b"%d\n" % number)
            await asyncio.sleep(0.002)
        assert (await following).text == "0\n1\n2\n3\n4\n"
        assert 0.045 <= CLOCK.monotonic() - sent_at < 0.2
        fed.end()


async def test_the_streams_are_apart_numbered_together_and_in_the_order_read() -> None:
    async with pipes() as fed:
        collected = asyncio.create_task(rest_of(fed.reader))
        for number in range(6):
            os.write(fed.err if number % 2 else fed.out, b"%d" % number)
            await asyncio.sleep(0.002)  # both readable at once would have no order
        fed.end()
        chunks = await collected
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.text for chunk in chunks] == list("012345")
    assert {chunk.stream for chunk in chunks if chunk.text in "135"} == {"stderr"}


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x1F9FF, exclude_categories=["Cs"]), max_size=30), st.data()
)
@settings(deadline=None, max_examples=30)
def test_a_character_split_over_two_reads_is_whole(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    cut = data.draw(st.integers(0, len(encoded)))

    async def scenario() -> list[Chunk]:
        async with pipes() as fed:
            os.write(fed.out, encoded[:cut])
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # one turn to see it, one to read it
            os.write(fed.out, encoded[cut:])
            fed.end()
            return await rest_of(fed.reader)

    chunks = asyncio.run(scenario())
    assert text_of(chunks) == text
    assert all("\ufffd" not in chunk.text for chunk in chunks)


@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"\xf0\x9f", b"\x98\x80", b"\xe2", b"\x82\xac", b"\r", b"\x1b["])
    ),
    st.lists(st.binary(max_size=12)),
)
@settings(deadline=None, max_examples=80)
def test_any_bytes_cut_anywhere_are_what_they_are_as_a_whole(out: list[bytes], err: list[bytes]) -> None:
    """G9: each stream's text is that of all its bytes at once: a replacement stands where the byte stood."""

    async def scenario() -> list[Chunk]:
        async with pipes() as fed:
            for number in range(max(len(out), len(err))):
                for descriptor, pieces in ((fed.out, out), (fed.err, err)):
                    if number < len(pieces):
                        os.write(descriptor, pieces[number])
                await asyncio.sleep(0)
                await asyncio.sleep(0)  # one turn to see it, one to read it
            fed.end()
            return await rest_of(fed.reader)

    chunks = asyncio.run(scenario())
    assert text_of(chunks) == b"".join(out).decode(errors="replace")
    assert text_of(chunks, "stderr") == b"".join(err).decode(errors="replace")
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))


async def test_output_that_drips_is_never_old() -> None:
    """G9: a chunk goes out at most 100 ms after its beginning was read (50 are ours, the rest is the machine's)."""
    ages_s: list[float] = []

    async def take() -> None:
        ages_s.extend([(CLOCK.now() - chunk.at).total_seconds() async for chunk in fed.reader])

    async with pipes() as fed:
        taking = asyncio.create_task(take())
        for _ in range(200):
            os.write(fed.out, b".")
            await asyncio.sleep(0.003)
        fed.end()
        await taking
    assert 8 <= len(ages_s) <= 20, "put together, not one by one"
    assert sorted(ages_s)[len(ages_s) // 2] < 0.1


async def test_what_is_not_utf8_is_replaced_also_at_the_end() -> None:
    async with pipes() as fed:
        os.write(fed.out, b"a\xffb\x00c\xe2\x82")
        fed.end()
        assert text_of(await rest_of(fed.reader)) == "a\ufffdb\x00c\ufffd"


async def test_a_megabyte_comes_fast_whole_and_in_bounded_chunks() -> None:
    script = "import sys; sys.stdout.write('0123456789abcde\\n' * 65536); sys.stderr.write('done')"
    process = start_process(program_of(["/usr/bin/env", "python3", "-c", script], dict(os.environ)), CLOCK)
    async with asyncio.timeout(30), output_of(process, CLOCK) as output:
        chunks = await rest_of(output)
    assert text_of(chunks) == "0123456789abcde\n" * 65536
    assert text_of(chunks, "stderr") == "done"
    assert max(len(chunk.text) for chunk in chunks) <= CHUNK_BYTES
    assert len(chunks) < 150
    assert (await process.wait()).exit_code == 0


async def test_a_slow_consumer_makes_the_writer_wait_and_memory_stays_bounded() -> None:
    async with pipes() as fed:
        os.set_blocking(fed.out, False)
        written = 0
        for _ in range(200):
            try:
                written += os.write(fed.out, b"x" * 4096)
            except BlockingIOError:
                await asyncio.sleep(0)
        assert written <= HELD_BYTES + CHUNK_BYTES + (64 << 10), "held here, one read more, and what the pipe holds"
        fed.end()
        assert len(text_of(await rest_of(fed.reader))) == written


async def test_a_fast_process_does_not_keep_the_loop_from_others() -> None:
    process = start_process(program_of(["yes"], dict(os.environ)), CLOCK)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(other())
    async with asyncio.timeout(30), output_of(process, CLOCK) as output:
        received = 0
        async for _ in output:
            received += 1
            if received == 50:
                break
    neighbour.cancel()
    assert turns >= 50
    await process.wait()  # SIGPIPE ended it


async def test_stopping_reads_what_is_there_and_no_more() -> None:
    async with pipes() as fed:
        os.write(fed.out, b"there")
        fed.reader.stop_after_what_is_there()
        os.write(fed.out, b"later")
        assert text_of(await rest_of(fed.reader)) == "there"
        fed.end()
