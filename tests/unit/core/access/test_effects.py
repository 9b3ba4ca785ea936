"""What events about users, tokens and secrets come to: held against the same done by hand, and what always holds."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.access import effects
from dcron_core.access.directory import Directory
from dcron_core.jobs.fold import Applied, Rejected, fold
from dcron_core.jobs.replay import Replay
from dcron_core.jobs.table import JobTable
from dcron_core.keys import Keys
from dcron_master.directory_state import entries_of, key_of
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobEvent
from dcron_schemas.identity_events import LoggedIn, LoginLinkMade, UserAdded, UserGranted
from tests.naive_directory import Bounds, People
from tests.naive_fold import NaiveFold
from tests.stateful.identity_stories import identity_changes
from tests.virtual_time import BEGINNING

BOUNDS = Bounds(sessions=2, links=2, tokens=2, secrets=2)
stories = st.lists(st.tuples(identity_changes, st.integers(0, 9)), min_size=4, max_size=40)


@pytest.fixture(autouse=True, scope="module")
def few() -> Iterator[None]:
    """Bounds so small that a short story crosses them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sessions", "links", "tokens", "secrets"):
            patch.setattr(effects, f"MOST_{name.upper()}", getattr(BOUNDS, name))
        yield


def event(number: int, data: EventData, at_s: int = 0) -> JobEvent:
    at = BEGINNING + timedelta(seconds=at_s)
    return JobEvent(event_id=f"event-{number}", job_id="", actor="ada", request_id="", at=at, data=data)


def stored(directory: Directory) -> People:
    keys = Keys("")
    return {key_of(entry, keys): json.loads(encode(entry)) for entry in entries_of(directory)}


@settings(max_examples=500, deadline=None)
@given(stories)
def test_the_directory_is_what_the_story_comes_to_by_hand(story: list[tuple[EventData, int]]) -> None:
    """G3: users, sessions, links, tokens and secrets, whatever the order, expiry and bounds included."""
    replay, naive = Replay(), NaiveFold(bounds=BOUNDS)
    for number, (data, at_s) in enumerate(story):
        happened = event(number, data, at_s)
        step = replay.step(number, happened)
        expected = naive.take(encode(happened))
        assert isinstance(step.outcome, Applied) is (expected.outcome == "applied"), (number, step.outcome)
        assert stored(replay.table.directory) == expected.people


@settings(max_examples=150, deadline=None)
@given(stories)
def test_what_always_holds(story: list[tuple[EventData, int]]) -> None:
    """Once there is an administrator there always is one; each credential leads to whoever has it, no other does."""
    replay = Replay()
    administered = False
    for number, (data, at_s) in enumerate(story):
        replay.step(number, event(number, data, at_s))
        directory = replay.table.directory
        administered = administered or bool(directory.administrators())
        assert bool(directory.administrators()) is administered
        for user in directory.users():
            assert len(user.sessions) <= BOUNDS.sessions
            assert len(user.links) <= BOUNDS.links
            assert user.enabled or not (user.sessions or user.links)
            for session in user.sessions:
                assert directory.session(session.digest) == (user, session)
        known = {each.digest for user in directory.users() for each in user.sessions}
        known |= {each.digest for user in directory.users() for each in user.links}
        assert {digest for digest in ("d1", "d2", "d3", "d4") if directory.holder(digest)} == known
        assert all(directory.user(token.user) for token in directory.tokens()), "a token goes with its user"


def test_a_link_is_used_by_whoever_comes_first_in_the_log() -> None:
    """Of two masters that let somebody in with one link, the log says which one did."""
    replay = Replay()
    later = BEGINNING + timedelta(hours=1)
    begun: list[EventData] = [UserAdded("ada"), LoginLinkMade("ada", "link", later)]
    for number, data in enumerate(begun):
        replay.step(number, event(number, data))
    first = replay.step(2, event(2, LoggedIn("ada", "link", "1", "one", later, link="link"))).outcome
    second = replay.step(3, event(3, LoggedIn("ada", "link", "2", "two", later, link="link"))).outcome
    assert isinstance(first, Applied)
    assert isinstance(second, Rejected)
    assert replay.table.directory.session("two") is None


def test_grants_that_were_changed_meanwhile_are_not_overwritten() -> None:
    """An admin of one namespace brings nothing back that another one took away in theirs."""
    table = JobTable()
    begun: list[EventData] = [UserAdded("ada", grants={"a": "editor"}), UserGranted("ada", {}, {"a": "editor"})]
    for number, data in enumerate(begun):
        happened = event(number, data)
        outcome = fold(table, number, happened)
        assert isinstance(outcome, Applied)
        table.absorb(number, happened.event_id, outcome.changes)
    stale = fold(table, 2, event(2, UserGranted("ada", {"a": "editor", "b": "viewer"}, {"a": "editor"})))
    assert isinstance(stale, Rejected)
