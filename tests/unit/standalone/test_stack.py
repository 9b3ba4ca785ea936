"""What `dcron up` refuses before it starts anything, and where its services are."""

import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from dcron_core.clock import SystemClock
from dcron_core.errors import SettingsError
from dcron_core.ids import IdSource
from dcron_standalone.data_directory import Access, DataDirectory
from dcron_standalone.ports import free_port
from dcron_standalone.stack import Interruption, Stack, UpOptions
from tests.certificates import Authority


def stack(data: Path, options: UpOptions) -> Stack:
    directory = DataDirectory(data)
    data.mkdir()
    for make in (directory.audit_key, directory.signing_key, directory.cluster_key):
        make(IdSource())
    access = Access(options.master_url, directory.token(IdSource()))
    return Stack(options, directory, access, Interruption(threading.Event(), threading.Event()), SystemClock())


def test_tls_to_a_server_of_its_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They speak plaintext, and nothing would ever be ready."""
    monkeypatch.setenv("DCRON_ETCD_CA", str(Authority(tmp_path / "certificates").file))
    options = UpOptions(workers=1, master_port=free_port(), log_ingester_port=free_port(), worker_port=free_port())
    with pytest.raises(SettingsError, match=r"DCRON_ETCD_CA is set, but our own server .*--etcd names another"):
        stack(tmp_path / "own", options).check()
    stack(tmp_path / "elsewhere", replace(options, etcd="etcd:2379")).check()


def test_a_mongodb_that_a_file_names_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its password stays in the file."""
    (tmp_path / "mongodb").write_text("mongodb://u:p@m")
    monkeypatch.setenv("DCRON_MONGODB_FILE", str(tmp_path / "mongodb"))
    made = stack(tmp_path / "own", UpOptions())
    assert [server.name for server in made._servers.wanted] == ["etcd", "kafka"]
    assert "DCRON_MONGODB" not in made._environment("log-ingester", 0)


def test_services_that_speak_tls_are_asked_by_https() -> None:
    assert UpOptions(tls=True).log_ingester_url == "https://127.0.0.1:8701"
    assert UpOptions().master_url == "http://127.0.0.1:8700"
