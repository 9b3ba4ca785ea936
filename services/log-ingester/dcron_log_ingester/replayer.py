"""Sends dead letters back to where they came from, and marks them.

A letter is sent as the record that it was: with its key, so it comes into the partition of its run, and with its own
headers. The ingest loop stores it as any other; ids are functions of the run, so a letter that is sent twice is
stored once. A letter that fails again becomes a new letter, which says of which one and how often it was tried.

Records go out before their marks: a crash between the two leaves letters that were replayed and still wait, and
replaying them again does no harm. Letters go back to the topic of runs only, whatever they say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from dcron_core.clock import Clock
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Log, Producer, Reader, Record
from dcron_core.telemetry import get_logger
from dcron_log_ingester.batches import Document, stored_instant
from dcron_log_ingester.dead_letters import Mark, letter_id, mark_headers, position_of, replay_headers
from dcron_schemas.dead_letters import NotReplayed, ReplayResult

READ_S = 10.0  # for the next record
AT_A_TIME = 50  # records read in one go

log = get_logger()


class MarkWriter(Protocol):
    """What replaying asks of the store."""

    async def write(self, letters: Sequence[Document], marks: Sequence[Mark]) -> None:
        """Store letters and marks."""
        ...


class Replayer:
    """Reads letters in their topic, and replays them."""

    def __init__(self, source: Log, store: MarkWriter, topic: str, runs_topic: str, clock: Clock) -> None:
        self._log = source
        self._store = store
        self._topic = topic
        self._runs_topic = runs_topic
        self._clock = clock

    async def letter(self, name: str) -> Record | None:
        """Return the letter as it stands in its topic; None if Kafka does not hold it any more."""
        return (await self._read([name])).get(name)

    async def replay(self, letters: Sequence[tuple[str, Document | None]], *, again: bool) -> ReplayResult:
        """Send back those of the letters that can be, in the order in which they were put aside.

        `again`: also those that were replayed before.
        """
        refused = {name: why for name, known in letters if (why := self._refusal(known, again=again))}
        wanted = [name for name, _ in letters if name not in refused]
        records = await self._read(wanted)
        refused |= {name: "Kafka does not hold it any more" for name in wanted if name not in records}
        async with self._log.producer() as producer:
            await self._send(producer, list(records.values()))
            await self._mark(producer, list(records.values()))
        log.info("dead letters are replayed", action="letters.replayed", count=len(records))
        return ReplayResult(
            replayed=tuple(records), not_replayed=tuple(NotReplayed(id=name, why=why) for name, why in refused.items())
        )

    def _refusal(self, known: Document | None, *, again: bool) -> str:
        """Return why the letter is not to be replayed; empty: it can be."""
        if known is None:
            return "there is no such letter; `dcron dlq ls` lists those there are"
        if known["cut"]:
            return "the record was too large for a letter, which has its beginning only"
        if known["topic"] != self._runs_topic:
            return f"it came from {known['topic']!r}, and letters go back to {self._runs_topic!r} only"
        if known["state"] == "replayed" and not again:
            return "it was replayed already; `again` replays it once more"
        return ""

    async def _send(self, producer: Producer, letters: Sequence[Record]) -> None:
        answers = [
            await producer.submit(self._runs_topic, each.key, each.value, replay_headers(each)) for each in letters
        ]
        await asyncio.gather(*answers)

    async def _mark(self, producer: Producer, letters: Sequence[Record]) -> None:
        """Mark in the topic, which counts, and in the store, so that whoever asks next sees it."""
        now = stored_instant(self._clock.now())
        marks = [Mark(letter_id(each.partition, each.offset), now) for each in letters]
        answers = [
            await producer.submit(self._topic, letter.key, b"", mark_headers(mark))
            for letter, mark in zip(letters, marks, strict=True)
        ]
        await asyncio.gather(*answers)
        await self._store.write([], marks)

    async def _read(self, names: Sequence[str]) -> Mapping[str, Record]:
        """Return the letters that the topic holds, by name, in the order in which they were put aside."""
        positions = sorted({position for name in names if (position := position_of(name)) is not None})
        found: dict[str, Record] = {}
        for partition in dict.fromkeys(partition for partition, _ in positions):
            offsets = [offset for each, offset in positions if each == partition]
            bounds = await self._log.bounds(self._topic, partition)
            held = [offset for offset in offsets if bounds.start <= offset < bounds.end]
            if held:
                async with self._log.reader(self._topic, {partition: held[0]}) as reader:
                    found |= await _records_at(reader, partition, held)
        return found


async def _records_at(reader: Reader, partition: int, offsets: Sequence[int]) -> dict[str, Record]:
    """Return the records at those offsets, which rise."""
    found: dict[str, Record] = {}
    ahead: dict[int, Record] = {}  # what the last reading brought
    for offset in offsets:
        if offset not in ahead:
            await reader.seek(partition, offset)
            ahead = {record.offset: record for record in await reader.poll(READ_S, AT_A_TIME)}
            if not ahead:
                raise LogUnavailableError(f"the dead letter at offset {offset} did not come within {READ_S:g} s")
        if offset in ahead:
            found[letter_id(partition, offset)] = ahead[offset]
    return found
