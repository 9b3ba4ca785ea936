"""The local stack's directory: private, one stack at a time."""

from pathlib import Path

import pytest

from dcron_core.errors import DcronError
from dcron_core.ids import IdSource
from dcron_core.settings import LogIngesterSettings, load
from dcron_standalone.client import ApiError, find_access
from dcron_standalone.data_directory import Access, DataDirectory, DirectoryInUseError

ACCESS = Access("http://127.0.0.1:8700", "0123456789abcdef")


def test_the_token_is_made_once_and_is_private(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with directory.locked():
        token = directory.token(IdSource(seed=1))
        assert directory.token(IdSource(seed=2)) == token
    assert len(token) == 64
    assert directory.token_file.stat().st_mode & 0o777 == 0o600
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_the_audit_key_is_one_of_its_own_made_once_and_private(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    ids = IdSource(seed=1)
    token, key = directory.token(ids), directory.audit_key(ids)
    assert directory.audit_key(ids) == key != token
    assert directory.audit_key_file.stat().st_mode & 0o777 == 0o600
    environ = {"DCRON_TOKEN": token, "DCRON_AUDIT_KEY_FILE": str(directory.audit_key_file)}
    assert load(LogIngesterSettings, environ).audit_key == key


def test_signing_and_cluster_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    """G12: a stack that was never given keys has its own, and so nothing unsigned runs on it."""
    directory = DataDirectory(tmp_path)
    ids = IdSource(seed=1)
    directory.make_keys(ids)
    signing, cluster = directory.signing_key(ids), directory.cluster_key(ids)
    directory.make_keys(IdSource(seed=2))
    assert (directory.signing_key(ids), directory.cluster_key(ids)) == (signing, cluster)
    assert len({signing, cluster, directory.audit_key(ids)}) == 3
    for file in (directory.signing_key_file, directory.cluster_key_file):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_second_stack_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with (
        DataDirectory(tmp_path).locked(),
        pytest.raises(DirectoryInUseError, match="--data"),
        DataDirectory(tmp_path).locked(),
    ):
        pass
    with DataDirectory(tmp_path).locked():
        pass  # free again


def test_the_command_line_finds_the_local_stack(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_access(ACCESS)
    assert directory.client_file.stat().st_mode & 0o777 == 0o600
    assert find_access({"DCRON_DATA": str(tmp_path)}) == ACCESS


def test_the_environment_comes_before_the_local_stack(tmp_path: Path) -> None:
    DataDirectory(tmp_path).write_access(ACCESS)
    (tmp_path / "secret").write_text("fedcba9876543210\n")
    environ = {
        "DCRON_DATA": str(tmp_path),
        "DCRON_URL": "https://dcron.example/",
        "DCRON_TOKEN_FILE": str(tmp_path / "secret"),
    }
    assert find_access(environ) == Access("https://dcron.example", "fedcba9876543210")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "make up"),
        ({"DCRON_URL": "http://127.0.0.1:1"}, "DCRON_TOKEN"),
        ({"DCRON_URL": "http://127.0.0.1:1", "DCRON_TOKEN_FILE": "/nowhere"}, "/nowhere"),
    ],
)
def test_without_a_way_to_dcron_the_remedy_is_told(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        find_access({"DCRON_DATA": str(tmp_path)} | environ)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text("{")
    with pytest.raises(DcronError, match=r"client\.json is damaged"):
        find_access({"DCRON_DATA": str(tmp_path)})
