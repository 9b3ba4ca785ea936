"""Failpoints: none in production, the right ones in tests, and no misspelt one."""

import os
import signal
import subprocess
import sys

import pytest

from dcron_core.errors import SettingsError
from dcron_core.failpoints import NAMES, Failpoints, parse_failpoints


@pytest.mark.parametrize("text", ["", " ", ",", "command.appended=0", "command.appended=0.0, projector.written=0"])
def test_what_is_not_armed_is_passed(text: str) -> None:
    failpoints = parse_failpoints(text)
    for name in NAMES:
        failpoints.reach(name)
    Failpoints().reach("command.appended")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("command.apended=1", "'command.apended' is not one of command.appended, command.before_answer"),
        ("0.5", "'0.5' is not one of"),
        ("command.appended", "'command.appended' is not name=probability"),
        ("command.appended=", "'command.appended=' is not name=probability"),
        ("projector.written=0.1,command.appended=often", "'command.appended=often' is not name=probability"),
        ("command.appended=1.5", "'command.appended=1.5': a probability is from 0 to 1"),
        ("command.appended=-1", "a probability is from 0 to 1"),
        ("command.appended=nan", "a probability is from 0 to 1"),
    ],
)
def test_what_is_misspelt_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match="DCRON_FAILPOINTS") as caught:
        parse_failpoints(text)
    assert says in str(caught.value)


def test_an_armed_one_kills_the_process_there_and_nowhere_else() -> None:
    program = (
        "from dcron_core.failpoints import parse_failpoints\n"
        "failpoints = parse_failpoints('command.appended=1')\n"
        "failpoints.reach('command.before_append'); print('before', flush=True)\n"
        "failpoints.reach('command.appended'); print('after', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "before\n")
