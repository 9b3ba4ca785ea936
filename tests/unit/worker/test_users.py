"""Whose rights a run has."""

import os
import pwd

import pytest

from dcron_worker.errors import ProcessStartError
from dcron_worker.users import User, user_to_become

OWN = pwd.getpwuid(os.geteuid()).pw_name
OTHER = next(user for user in pwd.getpwall() if user.pw_uid not in {0, os.geteuid()})


def test_its_own_user_needs_no_leave() -> None:
    assert user_to_become(None, frozenset()) is None
    assert user_to_become(OWN, frozenset()) is None


def test_another_user_has_to_be_named_in_the_setting() -> None:
    for allowed in (frozenset[str](), frozenset({"somebody-else"})):
        with pytest.raises(ProcessStartError, match="DCRON_RUN_AS_ALLOWED"):
            user_to_become(OTHER.pw_name, allowed)


def test_only_root_can_change_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OTHER.pw_uid)
    with pytest.raises(ProcessStartError, match="only a worker that runs as root"):
        user_to_become("root", frozenset({"root"}))


def test_a_user_that_is_named_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = user_to_become(OTHER.pw_name, frozenset({OTHER.pw_name}))
    assert found == User(OTHER.pw_name, OTHER.pw_uid, OTHER.pw_gid, OTHER.pw_dir)
    with pytest.raises(ProcessStartError, match="no such user"):
        user_to_become("nobody-has-this-name", frozenset({"nobody-has-this-name"}))
