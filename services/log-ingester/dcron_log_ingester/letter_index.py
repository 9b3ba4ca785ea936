"""Brings what is known of dead letters into the store, so that they are found without going through their topic.

A consumer group of its own reads the topic, letters and marks alike; it commits what is stored. What it makes can be
thrown away with the group's offsets, and made again.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from dcron_core.errors import LogUnavailableError
from dcron_core.lifecycle import retrying
from dcron_core.ports.log import Log, Record, Topic
from dcron_core.telemetry import get_logger
from dcron_log_ingester.batches import Document
from dcron_log_ingester.dead_letters import Mark, letter_document, mark_of
from dcron_log_ingester.errors import MongoUnavailableError

POLL_S = 1.0
BATCH = 500
REOPEN_S = 1.0

log = get_logger()


class LetterWriter(Protocol):
    """What the index asks of the store."""

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        ...

    async def write(self, letters: Sequence[Document], marks: Sequence[Mark]) -> None:
        """Store letters and marks."""
        ...


class LetterIndex:
    """Follows the dead-letter topic."""

    def __init__(self, topics: Sequence[Topic], topic: str, group: str, store: LetterWriter) -> None:
        self._topics = topics
        self._topic = topic
        self._group = group
        self._store = store

    async def run(self, source: Log) -> None:
        """Follow the topic for ever."""
        await retrying(self._store.prepare, on=MongoUnavailableError, what="MongoDB")
        while True:
            try:
                await source.ensure_topics(self._topics)
                async with source.group_reader(self._topic, self._group) as reader:
                    while True:
                        if records := await reader.poll(POLL_S, BATCH):
                            await self._write(records)
                            await reader.commit()
            except LogUnavailableError as error:
                log.warning("the dead letters cannot be read", action="letters.log", error=str(error))
                await asyncio.sleep(REOPEN_S)

    async def _write(self, records: Sequence[Record]) -> None:
        marks = [mark for record in records if (mark := mark_of(record)) is not None]
        letters = [letter_document(record) for record in records if mark_of(record) is None]
        await retrying(lambda: self._store.write(letters, marks), on=MongoUnavailableError, what="MongoDB")
