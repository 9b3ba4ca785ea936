"""`dcron log …`: where it finds the servers, and what it prints."""

from pathlib import Path

import pytest

from dcron_core.errors import DcronError, SettingsError
from dcron_core.ids import IdSource
from dcron_master.drift import Drift
from dcron_schemas.audit import FieldChange
from dcron_standalone.data_directory import DataDirectory, ServerAddresses, private_file
from dcron_standalone.log_tools import _drift_lines, resign_table, tool_settings

STACK = ServerAddresses(etcd="127.0.0.1:1111", kafka="127.0.0.1:2222", etcd_prefix="/x/", topic_prefix="x.")


def test_without_a_stack_the_settings_have_their_defaults_and_need_no_token(tmp_path: Path) -> None:
    settings = tool_settings({"DCRON_DATA": str(tmp_path)})
    assert (settings.etcd, settings.kafka, settings.etcd_prefix) == ("127.0.0.1:2379", "127.0.0.1:9092", "/cron/")
    assert settings.job_events_topic == "cron.job-events"


def test_the_tools_sign_with_the_local_stacks_key_on_the_local_stack_only(tmp_path: Path) -> None:
    """G12: what `repair` and `rebuild` write is signed; another cluster's table not with this one's key."""
    directory = DataDirectory(tmp_path)
    directory.write_servers(ServerAddresses("127.0.0.1:1", "127.0.0.1:2", "/cron/", "cron."))
    directory.make_keys(IdSource(seed=1))
    local = {"DCRON_DATA": str(tmp_path)}
    key = directory.signing_key(IdSource(seed=2))
    assert tool_settings(local).signing_key == key
    assert tool_settings({**local, "DCRON_ETCD": "elsewhere:2379"}).signing_key == ""
    assert tool_settings({**local, "DCRON_SIGNING_KEY": "ab" * 32}).signing_key == "ab" * 32


def test_nothing_is_signed_anew_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DCRON_DATA", str(tmp_path))
    monkeypatch.delenv("DCRON_SIGNING_KEY", raising=False)
    with pytest.raises(DcronError, match="DCRON_SIGNING_KEY"):
        resign_table()


def test_the_local_stack_says_where_its_servers_are_and_the_environment_comes_before_it(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_servers(STACK)
    assert directory.servers_file.stat().st_mode & 0o777 == 0o600
    found = tool_settings({"DCRON_DATA": str(tmp_path), "DCRON_KAFKA": "kafka:9092"})
    assert (found.etcd, found.kafka, found.etcd_prefix, found.topic_prefix) == (
        "127.0.0.1:1111",
        "kafka:9092",
        "/x/",
        "x.",
    )


def test_a_damaged_file_and_a_wrong_variable_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DCRON_ETCD_PREFIX='cron'"):
        tool_settings({"DCRON_DATA": str(tmp_path), "DCRON_ETCD_PREFIX": "cron"})
    (tmp_path / "servers.json").write_text("{}")
    with pytest.raises(DcronError, match=r"servers\.json is damaged"):
        tool_settings({"DCRON_DATA": str(tmp_path)})


def test_a_file_whose_writing_failed_is_not_there(tmp_path: Path) -> None:
    """A backup that broke off does not look like one."""

    def broken_off() -> None:
        with private_file(tmp_path / "log.jsonl") as write:
            write(b"half")
            raise RuntimeError("Kafka is gone")

    with pytest.raises(RuntimeError):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_drift_is_printed_with_its_fields_and_only_so_many_keys() -> None:
    change = FieldChange(field="spec.env.A", before="1", after=None)
    drift = Drift(
        kind="different", key="/cron/jobs/a", job_id="a", name="default/one", mod_revision=3, changes=(change,)
    )
    assert _drift_lines((drift,)) == [
        "different  /cron/jobs/a  default/one",
        '             spec.env.A: the log says "1", etcd null',
    ]
    assert _drift_lines((drift,) * 150)[-1] == "… and 50 more keys; `dcron log verify --json` lists them all"
