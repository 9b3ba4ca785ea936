"""What those know of a prefix who keep what its values say and not the values."""

from hypothesis import given
from hypothesis import strategies as st

from dcron_core.mirror import Known, Mirror, Snapshot
from dcron_core.ports.store import Changes, KeyValue, Removed


def item(key: str, revision: int) -> KeyValue:
    return KeyValue(key, f"{key} at {revision}".encode(), 1, revision)


def test_a_second_snapshot_tells_what_is_other_and_what_is_gone() -> None:
    """G5: after a compaction, what was deleted meanwhile is not taken for alive, and what changed is seen."""
    known = Known()
    first = (item("same", 1), item("other", 2), item("gone", 3))
    assert known.apply(Snapshot(3, first)) == list(first)
    second = (item("same", 1), item("other", 5), item("new", 6))
    assert known.apply(Snapshot(7, second)) == [Removed("gone", 7), item("other", 5), item("new", 6)]
    assert known.apply(Snapshot(8, second)) == []


def test_of_several_changes_of_a_key_the_last_one_counts() -> None:
    known = Known()
    known.apply(Snapshot(1, (item("a", 1),)))
    changes = Changes(4, (item("a", 2), item("b", 3), Removed("a", 4)))
    assert known.apply(changes) == [Removed("a", 4), item("b", 3)]
    assert known.apply(Snapshot(5, (item("b", 3),))) == []


UPDATES = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=4)), max_size=12
)


@given(UPDATES)
def test_it_tells_the_same_as_a_mirror(story: list[tuple[bool, list[tuple[str, bool]]]]) -> None:
    """G5: whatever comes as changes and whatever as another snapshot, those who are told end with what there is."""
    known, mirror, told, there = Known(), Mirror(), dict[str, KeyValue](), dict[str, KeyValue]()
    revision = 0
    for as_snapshot, writes in story:
        events: list[KeyValue | Removed] = []
        for key, put in writes:
            revision += 1
            events.append(item(key, revision) if put else Removed(key, revision))
            there.pop(key, None)
            if put:
                there[key] = item(key, revision)
        update = (
            Snapshot(revision, tuple(there.values())) if as_snapshot or not events else Changes(revision, tuple(events))
        )
        mirror.apply(update)
        for news in known.apply(update):
            told.pop(news.key, None)
            if isinstance(news, KeyValue):
                told[news.key] = news
        assert told == mirror.items == there
