"""The store port: revisions, transactions and batches of them."""

import asyncio

import pytest

from dcron_core.ports.store import (
    Comparison,
    Delete,
    DeletePrefix,
    Get,
    GetPrefix,
    KeyValueStore,
    ModRevisionIs,
    PrefixIsEmpty,
    Put,
    Transaction,
)
from tests.contract.writing import put


async def test_a_key_remembers_its_creation_and_its_last_write(store: KeyValueStore, prefix: str) -> None:
    key = f"{prefix}a"
    assert await store.get(key) is None
    created = await put(store, key, b"1")
    changed = await put(store, key, b"2")
    item = await store.get(key)
    assert item is not None
    assert (item.key, item.value, item.create_revision, item.mod_revision) == (key, b"2", created, changed)
    assert changed > created > 0


async def test_a_key_made_again_has_a_new_creation(store: KeyValueStore, prefix: str) -> None:
    key = f"{prefix}a"
    first = await put(store, key)
    removed = await store.transact(Transaction((), (Delete(key),)))
    again = await put(store, key)
    item = await store.get(key)
    assert item is not None
    assert first < removed.revision < again == item.create_revision


async def test_what_changes_nothing_takes_no_revision(store: KeyValueStore, prefix: str) -> None:
    before = await put(store, f"{prefix}a")
    nothing = await store.transact(Transaction((), (Delete(f"{prefix}none"), Get(f"{prefix}a"))))
    assert nothing.revision == before


async def test_the_branch_that_is_taken_answers_its_reads_in_order(store: KeyValueStore, prefix: str) -> None:
    a, b = f"{prefix}a", f"{prefix}b"
    revision = await put(store, a, b"old")
    transaction = Transaction(
        (ModRevisionIs(a, revision),),
        success=(Get(b), Put(b, b"new"), GetPrefix(prefix)),
        failure=(GetPrefix(prefix, limit=1), Get(f"{prefix}none")),
    )
    done = await store.transact(transaction)
    assert done.succeeded
    assert [[item.key for item in read] for read in done.reads] == [[], [a, b]]
    assert done.reads[1][1].mod_revision == done.revision > revision

    await put(store, a)
    refused = await store.transact(transaction)
    assert not refused.succeeded
    assert [[item.key for item in read] for read in refused.reads] == [[a], []]


@pytest.mark.parametrize(
    ("compare", "holds"),
    [
        ((), True),
        ((ModRevisionIs("none", 0),), True),
        ((ModRevisionIs("set/a", 0),), False),
        ((ModRevisionIs("set/a", 1),), False),
        ((PrefixIsEmpty("none/"),), True),
        ((PrefixIsEmpty("set/"),), False),
        ((PrefixIsEmpty("set/b"),), True),  # after all keys of set/
        ((PrefixIsEmpty("se/"),), True),
        ((ModRevisionIs("none", 0), PrefixIsEmpty("none/")), True),
        ((ModRevisionIs("none", 0), PrefixIsEmpty("set/")), False),
    ],
)
async def test_comparisons(store: KeyValueStore, prefix: str, compare: tuple[Comparison, ...], *, holds: bool) -> None:
    await put(store, f"{prefix}set/a")
    placed = tuple(
        ModRevisionIs(prefix + each.key, each.revision)
        if isinstance(each, ModRevisionIs)
        else PrefixIsEmpty(prefix + each.prefix)
        for each in compare
    )
    assert (await store.transact(Transaction(placed, ()))).succeeded is holds


async def test_a_batch_gives_each_transaction_its_own_outcome(store: KeyValueStore, prefix: str) -> None:
    """G4: a claim that fails does not take others with it; the results keep the order of the arguments."""
    taken = {7, 40, 99}
    for number in taken:
        await put(store, f"{prefix}{number:03}", b"taken")
    results = await store.transact_all(
        [
            Transaction((ModRevisionIs(key, 0),), (Put(key, b"mine"),), (Get(key),))
            for key in (f"{prefix}{number:03}" for number in range(100))
        ]
    )
    assert {number for number, result in enumerate(results) if not result.succeeded} == taken
    for item, result in zip((await store.read_prefix(prefix)).items, results, strict=True):
        assert item.value == (b"mine" if result.succeeded else b"taken")
        assert item.mod_revision == result.revision if result.succeeded else result.reads == ((item,),)


async def test_of_two_claims_on_an_empty_prefix_in_one_batch_one_wins(store: KeyValueStore, prefix: str) -> None:
    """G7: what an earlier transaction of the batch wrote counts for the comparisons of the later ones."""
    results = await store.transact_all(
        [Transaction((PrefixIsEmpty(f"{prefix}active/"),), (Put(f"{prefix}active/{run}", b""),)) for run in "abc"]
    )
    assert [result.succeeded for result in results].count(True) == 1
    assert len((await store.read_prefix(f"{prefix}active/")).items) == 1


async def test_a_prefix_is_deleted_whole_and_nothing_beside_it(store: KeyValueStore, prefix: str) -> None:
    for name in ("set", "set/a", "set/b", "set0"):
        await put(store, f"{prefix}{name}")
    done = await store.transact(Transaction((), (DeletePrefix(f"{prefix}set/"), GetPrefix(prefix))))
    assert [item.key for item in done.reads[0]] == [f"{prefix}set", f"{prefix}set0"]
    again = await store.transact(Transaction((), (DeletePrefix(f"{prefix}set/"),)))
    assert again.revision == done.revision, "what changes nothing takes no revision"


async def test_a_prefix_that_is_deleted_counts_for_the_comparisons_after_it(store: KeyValueStore, prefix: str) -> None:
    """G7. Of one batch the order is the store's, so the comparisons come in a batch of their own."""
    revision = await put(store, f"{prefix}set/a")
    await store.transact(Transaction((), (DeletePrefix(f"{prefix}set/"),)))
    results = await store.transact_all(
        [
            Transaction((PrefixIsEmpty(f"{prefix}set/a"),), (Put(f"{prefix}empty", b""),)),
            Transaction((ModRevisionIs(f"{prefix}set/a", revision),), (Put(f"{prefix}there", b""),)),
        ]
    )
    assert [result.succeeded for result in results] == [True, False]


async def test_a_key_is_not_written_under_a_prefix_that_is_deleted(store: KeyValueStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="deletes all of"):
        await store.transact(Transaction((), (DeletePrefix(f"{prefix}set/"), Put(f"{prefix}set/a", b""))))


async def test_a_batch_of_nothing(store: KeyValueStore) -> None:
    assert await store.transact_all([]) == []


async def test_a_batch_takes_large_values_and_wide_transactions(store: KeyValueStore, prefix: str) -> None:
    """Jobs are up to 64 KiB, and a transaction has up to 128 operations; the batch is cut where it must be."""
    large = [Transaction((), (Put(f"{prefix}large/{number:02}", bytes(64 * 1024)),)) for number in range(50)]
    wide = [
        Transaction((), tuple(Put(f"{prefix}wide/{width}/{number}", b"") for number in range(width)))
        for width in (128, 1, 100, 127, 88, 89)
    ]
    results = await store.transact_all([*large, *wide])
    assert all(result.succeeded for result in results)
    assert len((await store.read_prefix(f"{prefix}large/")).items) == 50
    assert len((await store.read_prefix(f"{prefix}wide/")).items) == 128 + 1 + 100 + 127 + 88 + 89


@pytest.mark.parametrize(
    "transactions",
    [
        [Transaction((), (Put("a", b""), Put("a", b"")))],
        [Transaction((), (Put("a", b""), Delete("a")))],
        [Transaction((), (), (Delete("a"), Delete("a")))],
        [Transaction((), (Put("b", b""),)), Transaction((), (Put("a", b""),)), Transaction((), (), (Delete("a"),))],
        [Transaction((), tuple(Get(str(number)) for number in range(129)))],
        [Transaction(tuple(ModRevisionIs(str(number), 0) for number in range(129)), ())],
    ],
)
async def test_a_batch_that_is_not_independent_is_refused(
    store: KeyValueStore, transactions: list[Transaction]
) -> None:
    with pytest.raises(ValueError, match=r"writes? |the most is"):
        await store.transact_all(transactions)
    if len(transactions) == 1:
        with pytest.raises(ValueError, match=r"writes? |the most is"):
            await store.transact(transactions[0])
    assert await store.get("b") is None


async def test_one_branch_may_write_what_the_other_writes(store: KeyValueStore, prefix: str) -> None:
    key = f"{prefix}a"
    result = await store.transact(Transaction((ModRevisionIs(key, 0),), (Put(key, b"1"),), (Put(key, b"2"),)))
    assert result.succeeded


async def test_rival_claims_have_one_winner(store: KeyValueStore, prefix: str) -> None:
    """G4: however many try at once, one transaction finds the cursor as it was."""
    claims = [
        store.transact(Transaction((ModRevisionIs(f"{prefix}tick", 0),), (Put(f"{prefix}tick", bytes([number])),)))
        for number in range(30)
    ]
    assert [result.succeeded for result in await asyncio.gather(*claims)].count(True) == 1


async def test_a_prefix_ends_where_it_ends(store: KeyValueStore, prefix: str) -> None:
    inside = [f"{prefix}p/{name}" for name in ("", "a", "z", "é", "\U0010ffff")]
    for key in [*inside, f"{prefix}p", f"{prefix}p0", f"{prefix}q/a"]:
        await put(store, key, key.encode())
    found = await store.read_prefix(f"{prefix}p/")
    assert [item.key for item in found.items] == inside
    assert found.revision == found.items[-1].mod_revision + 3


async def test_several_prefixes_are_read_at_one_revision(store: KeyValueStore, prefix: str) -> None:
    """Whatever is written between two of them is in both or in none; each comes whole, in the order asked for."""
    stop = asyncio.Event()

    async def write_both() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            value = str(count).encode()
            writes = [Put(f"{prefix}{part}/{number:03}", value) for part in "ab" for number in range(60)]
            await store.transact(Transaction((), tuple(writes)))

    writing = asyncio.create_task(write_both())
    seen: set[bytes] = set()
    while len(seen) < 3:
        found = await store.read_prefix(f"{prefix}b/", f"{prefix}none/", f"{prefix}a/")
        values = {item.value for item in found.items}
        assert len(values) <= 1
        assert [item.key[len(prefix)] for item in found.items] in ([], ["b"] * 60 + ["a"] * 60)
        seen |= values
    stop.set()
    await writing


async def test_a_large_prefix_is_read_at_one_revision(store: KeyValueStore, prefix: str) -> None:
    """However many pages it takes, the keys are as they stood at one moment."""
    await store.transact_all([Transaction((), (Put(f"{prefix}{number:04}", b"0"),)) for number in range(1200)])
    first, last = f"{prefix}0000", f"{prefix}1199"
    stop = asyncio.Event()

    async def write_both_ends() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            value = str(count).encode()
            await store.transact(Transaction((), (Put(first, value), Put(last, value))))

    writing = asyncio.create_task(write_both_ends())
    seen = set()
    for _ in range(5):
        items = (await store.read_prefix(prefix)).items
        assert len(items) == 1200
        assert items[0].value == items[-1].value
        seen.add(items[0].value)
    stop.set()
    await writing
    assert len(seen) > 1  # it was written to in the meantime


async def test_small_keys_do_not_hide_that_large_ones_follow(store: KeyValueStore, prefix: str) -> None:
    """A thousand of the largest jobs come after ever so many small ones, and all are read."""
    small = [Transaction((), (Put(f"{prefix}a{number:04}", b"0"),)) for number in range(600)]
    large = [Transaction((), (Put(f"{prefix}b{number:04}", bytes(64 * 1024)),)) for number in range(1100)]
    await store.transact_all([*small, *large])
    items = (await store.read_prefix(prefix)).items
    assert len(items) == 1700
    assert sum(len(item.value) for item in items) == 600 + 1100 * 64 * 1024
