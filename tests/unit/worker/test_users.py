"""Whose rights a run has: never root's unless that was said."""

import os
import pwd

import pytest

from dcron_core.errors import SettingsError
from dcron_worker.errors import ProcessStartError
from dcron_worker.users import JobUsers, User, job_users, user_named

OWN = pwd.getpwuid(os.geteuid()).pw_name
OTHER = next(user for user in pwd.getpwall() if user.pw_uid not in {0, os.geteuid()} and user.pw_name != "nobody")
NOBODY = pwd.getpwnam("nobody")


def as_uid(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def users(job_user: str = "", *allowed: str) -> JobUsers:
    return job_users(job_user, frozenset(allowed))


def test_a_worker_that_is_not_root_starts_runs_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    as_uid(monkeypatch, OTHER.pw_uid)
    for job_user in ("", OTHER.pw_name):
        assert users(job_user).user_of(None) is None
        assert users(job_user).user_of(OTHER.pw_name) is None
    for job_user in ("root", "nobody"):
        with pytest.raises(SettingsError, match=f"DCRON_JOB_USER='{job_user}': this worker runs as '{OTHER.pw_name}'"):
            users(job_user)


def test_a_worker_that_is_root_starts_runs_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """G11: root only where that was said."""
    as_uid(monkeypatch, 0)
    nobody = User("nobody", NOBODY.pw_uid, NOBODY.pw_gid, (NOBODY.pw_gid,), NOBODY.pw_dir)
    assert users().user_of(None) == nobody
    assert users().user_of("nobody") == nobody
    with pytest.raises(ProcessStartError, match="run_as 'root' is not allowed on this worker, which runs jobs as 'nob"):
        users().user_of("root")
    assert users("", "root").user_of("root") is None
    assert users("", "root").user_of(None) == nobody


def test_or_as_whom_the_setting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    as_uid(monkeypatch, 0)
    assert users(OTHER.pw_name).user_of(None) == user_named(OTHER.pw_name)
    assert users(OTHER.pw_name).user_of(OTHER.pw_name) == user_named(OTHER.pw_name)
    assert users("root").user_of(None) is None
    assert users("root").user_of("root") is None
    with pytest.raises(SettingsError, match="there is no user 'nobody-has-this-name' on this host"):
        users("nobody-has-this-name")


@pytest.mark.parametrize("uid", [0, OTHER.pw_uid])
def test_another_user_has_to_be_named_in_the_setting(uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    as_uid(monkeypatch, uid)
    another = next(user.pw_name for user in pwd.getpwall() if user.pw_name not in {"nobody", OTHER.pw_name})
    for allowed in ((), ("somebody-else",)):
        with pytest.raises(ProcessStartError, match="DCRON_RUN_AS_ALLOWED"):
            users("", *allowed).user_of(another)


def test_only_root_can_change_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_uid(monkeypatch, OTHER.pw_uid)
    with pytest.raises(ProcessStartError, match="only a worker that runs as root"):
        users("", "root").user_of("root")


def test_a_user_that_is_named_is_found_with_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    as_uid(monkeypatch, 0)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, 4, len(name)])
    found = users("", OTHER.pw_name).user_of(OTHER.pw_name)
    groups = (OTHER.pw_gid, 4, len(OTHER.pw_name))
    assert found == User(OTHER.pw_name, OTHER.pw_uid, OTHER.pw_gid, groups, OTHER.pw_dir)
    with pytest.raises(ProcessStartError, match="no such user"):
        users("", "nobody-has-this-name").user_of("nobody-has-this-name")
