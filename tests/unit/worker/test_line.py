"""Rendezvous order: the same for all, balanced, and little disturbed when a worker comes or goes."""

from collections import Counter

from dcron_worker.line import place_in_line

WORKERS = [f"worker-{number}" for number in range(5)]
KEYS = [f"job-{number} 2026-01-01T00:00:00+00:00" for number in range(2000)]


def line(workers: list[str], key: str) -> list[str]:
    """The workers in the order in which they try."""
    return sorted(workers, key=lambda worker: place_in_line(worker, workers, key))


def test_every_worker_has_a_place_of_its_own() -> None:
    for key in KEYS[:100]:
        places = [place_in_line(worker, WORKERS, key) for worker in WORKERS]
        assert sorted(places) == list(range(len(WORKERS)))


def test_the_order_in_which_workers_are_known_does_not_matter() -> None:
    for key in KEYS[:100]:
        assert line(WORKERS, key) == line(WORKERS[::-1], key)


def test_each_worker_is_first_about_as_often() -> None:
    first = Counter(line(WORKERS, key)[0] for key in KEYS)
    fair = len(KEYS) / len(WORKERS)
    assert all(0.85 * fair < first[worker] < 1.15 * fair for worker in WORKERS), first


def test_the_ticks_of_one_job_go_round() -> None:
    first = Counter(line(WORKERS, f"job 2026-01-01T00:00:{second:02d}+00:00")[0] for second in range(60))
    assert set(first) == set(WORKERS)


def test_a_worker_that_leaves_changes_the_order_of_no_two_others() -> None:
    gone = WORKERS[2]
    others = [worker for worker in WORKERS if worker != gone]
    for key in KEYS[:300]:
        assert line(others, key) == [worker for worker in line(WORKERS, key) if worker != gone]


def test_a_worker_that_is_not_on_the_list_yet_places_itself() -> None:
    """Its own registration may not have come back by the watch."""
    for key in KEYS[:100]:
        assert place_in_line("worker-2", [w for w in WORKERS if w != "worker-2"], key) == place_in_line(
            "worker-2", WORKERS, key
        )
    assert place_in_line("alone", [], "key") == 0


def test_worker_ids_that_begin_alike_have_places_of_their_own() -> None:
    """Only 64 bytes of an id key the hash."""
    alike = ["w" * 80 + str(number) for number in range(5)]
    for key in KEYS[:20]:
        assert sorted(place_in_line(worker, alike, key) for worker in alike) == list(range(5))
