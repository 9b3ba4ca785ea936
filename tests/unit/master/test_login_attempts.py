"""Guessing gets slower with each failure, for whoever guesses and for nobody longer than said (G11)."""

from datetime import UTC, datetime, timedelta

import pytest

from dcron_core.ids import IdSource
from dcron_master.login_attempts import (
    FORGET_AFTER_S,
    FREE_OF_ADDRESS,
    FREE_OF_USER,
    MOST_OF_ADDRESS_S,
    MOST_OF_USER_S,
    LoginAttempts,
    TooManyAttemptsError,
    network_of,
)


class HandClock:
    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


def waits(attempts: LoginAttempts, clock: HandClock, count: int, user: str, address: str) -> list[int]:
    """Fail so many times, each as soon as it may be; return how long each had to wait."""
    found = []
    for _ in range(count):
        waited = 0
        try:
            attempts.begin(user, address)
        except TooManyAttemptsError as error:
            waited = error.wait_s
            clock.s += waited
            attempts.begin(user, address)
        found.append(waited)
    return found


def test_a_user_waits_longer_with_each_failure_up_to_a_bound() -> None:
    clock = HandClock()
    attempts = LoginAttempts(clock, IdSource(1))
    found = [wait for n in range(15) for wait in waits(attempts, clock, 1, "ada", f"192.0.2.{n}")]
    assert found == [0] * FREE_OF_USER + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert max(found) <= MOST_OF_USER_S
    attempts.begin("bob", "192.0.2.200")  # another user from another address does not wait


def test_an_address_waits_whichever_users_it_names() -> None:
    clock = HandClock()
    attempts = LoginAttempts(clock, IdSource(1))
    found = [wait for n in range(32) for wait in waits(attempts, clock, 1, f"user-{n}", "2001:db8::1")]
    assert found[:FREE_OF_ADDRESS] == [0] * FREE_OF_ADDRESS
    assert found[-1] == MOST_OF_ADDRESS_S
    with pytest.raises(TooManyAttemptsError):  # the same customer, with another address of theirs
        attempts.begin("somebody", "2001:db8::ffff")
    attempts.begin("somebody", "2001:db8:0:1::1")


def test_what_is_under_way_counts_and_a_success_clears_the_user_not_the_address() -> None:
    """A thousand guesses at once are as slow as in a row; one's own password clears nobody else's failures."""
    clock = HandClock()
    attempts = LoginAttempts(clock, IdSource(1))
    for _ in range(FREE_OF_USER):
        attempts.begin("ada", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        attempts.begin("ada", "192.0.2.1")
    attempts.succeeded("ada", "192.0.2.1")
    attempts.begin("ada", "192.0.2.1")
    for n in range(FREE_OF_ADDRESS - FREE_OF_USER):
        attempts.begin(f"user-{n}", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        attempts.begin("eve", "192.0.2.1")


def test_failures_are_forgotten_and_memory_is_bounded() -> None:
    clock = HandClock()
    attempts = LoginAttempts(clock, IdSource(1))
    waits(attempts, clock, 8, "ada", "192.0.2.1")
    clock.s += FORGET_AFTER_S + 1
    assert waits(attempts, clock, FREE_OF_USER, "ada", "192.0.2.1") == [0] * FREE_OF_USER
    for n in range(200_000):
        attempts._users.failed(f"made-up-{n}", clock.s)
    assert len(attempts._users) <= 1 << 16


def test_what_is_no_address_is_one_of_its_own() -> None:
    assert network_of("") == ""
    assert network_of("192.0.2.1") == "192.0.2.1"
