"""Letters go back to where they came from; faults in between lose and double nothing (G8)."""

from collections.abc import Sequence

import pytest

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Record, Topic
from dcron_log_ingester.batches import Document
from dcron_log_ingester.dead_letters import Mark, letter_document, letter_headers, letter_id, mark_of
from dcron_log_ingester.replayer import AT_A_TIME, Replayer

RUNS, DEAD = "runs", "dead"


class MarksFail(MemoryLog):
    """A log that breaks after the records were sent back and before the marks are there."""

    broken = False

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        if self.broken and topic == DEAD:
            raise LogUnavailableError("it breaks here")
        return super().append(topic, key, value, headers)


class Stage:
    """A topic with letters, what is known of them, and a replayer."""

    def __init__(self) -> None:
        self.log = MarksFail(SystemClock())
        self.known: dict[str, Document] = {}
        self.replayer = Replayer(self.log, self, DEAD, RUNS, SystemClock())

    async def put_aside(self, count: int) -> list[str]:
        """Make letters of records of two runs."""
        await self.log.ensure_topics([Topic(RUNS, 3), Topic(DEAD, 1)])
        for number in range(count):
            key = f"run-{number % 2}"
            record = Record(RUNS, 0, number, key, b"%d" % number, SystemClock().now())
            self.log.append(DEAD, key, record.value, letter_headers(record, "refused", "why"))
        letters = self.log.partitions(DEAD)[0].read(0, count)
        self.known = {letter_id(0, each.offset): letter_document(each) | {"state": "waiting"} for each in letters}
        return list(self.known)

    async def write(self, letters: Sequence[Document], marks: Sequence[Mark]) -> None:
        assert not letters
        for mark in marks:
            self.known[mark.letter_id]["state"] = "replayed"

    async def replay(self, names: Sequence[str], *, again: bool = False) -> list[str]:
        result = await self.replayer.replay([(name, self.known.get(name)) for name in names], again=again)
        return list(result.replayed)

    def sent_back(self) -> list[Record]:
        return [record for each in self.log.partitions(RUNS) for record in each.read(0, 10_000)]

    def marked(self) -> list[str]:
        records = self.log.partitions(DEAD)[0].read(0, 10_000)
        return [mark.letter_id for record in records if (mark := mark_of(record)) is not None]


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_letters_go_back_in_the_order_of_their_runs(stage: Stage) -> None:
    """G9: whatever order they are named in, also when there are more than are read in one go."""
    names = await stage.put_aside(2 * AT_A_TIME + 3)
    assert await stage.replay(names[::-1]) == names
    for run in ("run-0", "run-1"):
        numbers = [int(each.value) for each in stage.sent_back() if each.key == run]
        assert numbers == sorted(numbers)
    assert sorted(int(each.value) for each in stage.sent_back()) == list(range(len(names)))
    assert sorted(stage.marked()) == sorted(names)


async def test_a_crash_before_the_marks_leaves_the_letters_waiting(stage: Stage) -> None:
    """They are sent once more then, which the ids of what is stored make harmless."""
    names = await stage.put_aside(3)
    stage.log.broken = True
    with pytest.raises(LogUnavailableError):
        await stage.replay(names)
    assert {each["state"] for each in stage.known.values()} == {"waiting"}
    stage.log.broken = False
    assert await stage.replay(names) == names
    assert len(stage.sent_back()) == 6
    assert await stage.replay(names) == []


async def test_letters_that_kafka_forgot_are_named_and_the_others_go_back(stage: Stage) -> None:
    names = await stage.put_aside(4)
    stage.log.trim(DEAD, 0, 2)
    result = await stage.replayer.replay([(name, stage.known[name]) for name in names], again=False)
    assert result.replayed == tuple(names[2:])
    assert {each.id: each.why for each in result.not_replayed} == dict.fromkeys(
        names[:2], "Kafka does not hold it any more"
    )
    assert await stage.replayer.letter(names[0]) is None
    letter = await stage.replayer.letter(names[3])
    assert letter is not None
    assert letter.value == b"3"
