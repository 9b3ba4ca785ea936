"""An API token is good for the log-ingester too: the command line changes it, and comes again when that has expired."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dcron_schemas.identity import AccessToken
from dcron_standalone.access_token import AccessTokenSource
from dcron_standalone.client import Client
from dcron_standalone.data_directory import Access
from dcron_standalone.run_output import follow_run
from tests.unit.access.test_streams import NearTheEnd, ended
from tests.unit.access.world import HERE, World, world

API_TOKEN = "dcron_" + "a" * 43
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MovedByHand:
    """A clock."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


class Master:
    """Counts the tokens it makes."""

    def __init__(self, clock: MovedByHand) -> None:
        self._clock = clock
        self.made = 0

    def exchange(self) -> AccessToken:
        self.made += 1
        return AccessToken(token=f"access {self.made}", expires_at=self._clock.now() + timedelta(minutes=10))


def test_an_access_token_is_got_once_and_again_before_it_expires() -> None:
    clock = MovedByHand()
    source = AccessTokenSource(API_TOKEN, Master(clock).exchange, clock)
    assert [source.bearer(), source.bearer()] == ["access 1", "access 1"]
    clock.at += timedelta(minutes=9, seconds=29)
    assert source.bearer() == "access 1"
    clock.at += timedelta(seconds=1)
    assert source.bearer() == "access 2"
    source.forget()
    assert source.bearer() == "access 3"


@pytest.mark.parametrize("token", ["a-token-for-tests-only", "dcron_short", API_TOKEN + "x"])
def test_the_token_of_the_settings_goes_as_it_is(token: str) -> None:
    clock = MovedByHand()
    master = Master(clock)
    assert (AccessTokenSource(token, master.exchange, clock).bearer(), master.made) == (token, 0)


async def until_there_are(opened: World, viewers: int) -> None:
    while opened.hub.subscribed != viewers:
        await asyncio.sleep(0.01)


async def test_runs_are_read_and_followed_over_the_end_of_an_access_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log-ingester's clock is so far on that each token holds for two to three seconds there."""
    async with world(tmp_path, NearTheEnd(), token=API_TOKEN) as opened:
        subject = await opened.subject()
        client = Client(Access(opened.urls["master"], API_TOKEN))
        first = await asyncio.to_thread(lambda: client.executions(subject.job_id))
        assert [run.execution_id for run in first] == [subject.run.execution_id]
        live = opened.execution(subject.job_id, subject.name, HERE)
        opened.publish(*opened.records(live))
        before = client.tokens.bearer()
        following = asyncio.create_task(asyncio.to_thread(follow_run, client, live.execution_id))
        for viewers in (1, 0, 1):  # it came, was closed, and came again
            await until_there_are(opened, viewers)
        opened.publish(ended(live))
        await asyncio.wait_for(following, 10)
        assert client.tokens.bearer() != before
        assert capsys.readouterr().out.count(f"secret output of {subject.name}") == 1
        client.close()
