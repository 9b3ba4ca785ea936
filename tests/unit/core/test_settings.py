"""Settings come from the environment, checked at once; what is wrong is told in one report."""

from pathlib import Path

import pytest

from dcron_core.errors import SettingsError
from dcron_core.settings import LogIngesterSettings, MasterSettings, WorkerSettings, load, parse_labels

TOKEN = "0123456789abcdef"


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        load(WorkerSettings, {f"DCRON_{name.upper()}": value for name, value in environ.items()})
    return refusal.value.problems


def test_what_is_not_set_has_its_default_and_texts_become_numbers() -> None:
    settings = load(WorkerSettings, {"DCRON_TOKEN": TOKEN, "DCRON_SLOTS": "7", "DCRON_WORKER_PORT": "0", "HOME": "/"})
    assert (settings.slots, settings.worker_port, settings.etcd_prefix) == (7, 0, "/cron/")
    assert settings.executions_topic == "cron.executions"


@pytest.mark.parametrize("kind", [MasterSettings, WorkerSettings, LogIngesterSettings])
def test_every_service_binds_to_loopback_unless_told_otherwise(
    kind: type[MasterSettings | WorkerSettings | LogIngesterSettings],
) -> None:
    assert load(kind, {"DCRON_TOKEN": TOKEN}).host == "127.0.0.1"


def test_a_variable_of_another_service_is_no_mistake() -> None:
    """All services can be given one environment."""
    assert load(MasterSettings, {"DCRON_TOKEN": TOKEN, "DCRON_SLOTS": "7", "DCRON_MONGODB": "mongodb://m"}).master_port


def test_an_unknown_variable_is_refused_with_the_nearest_one() -> None:
    assert problems(token=TOKEN, etcd_prefx="/x/") == [
        "DCRON_ETCD_PREFX is not a setting of dcron; did you mean DCRON_ETCD_PREFIX?"
    ]


def test_a_missing_token_is_told_with_both_ways_to_give_it() -> None:
    assert problems() == ["DCRON_TOKEN (or DCRON_TOKEN_FILE) is not set; it has no default"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("slots", "0", "DCRON_SLOTS='0': Expected `int` >= 1"),
        ("slots", "many", "DCRON_SLOTS='many': "),
        ("worker_port", "65536", "DCRON_WORKER_PORT='65536': Expected `int` <= 65535"),
        ("lease_ttl", "10", "DCRON_LEASE_TTL='10': "),
        ("lease_ttl", "9" * 20 + "d", "is longer than can be counted"),
        ("log_level", "loud", "DCRON_LOG_LEVEL='loud': Invalid enum value 'loud'"),
        ("etcd_prefix", "cron", "DCRON_ETCD_PREFIX='cron': "),
        ("etcd", "https://etcd:2379", "DCRON_ETCD='https://etcd:2379': "),
    ],
)
def test_a_wrong_value_is_named_and_shown(name: str, value: str, message: str) -> None:
    (problem,) = problems(**{"token": TOKEN, name: value})
    assert message in problem


def test_all_problems_come_in_one_report() -> None:
    found = problems(slots="0", log_format="xml", wrong="1")
    assert [line.split("=")[0].split(" ")[0] for line in found] == [
        "DCRON_WRONG",
        "DCRON_TOKEN",
        "DCRON_LOG_FORMAT",
        "DCRON_SLOTS",
    ]


def test_a_secret_is_never_shown() -> None:
    (problem,) = problems(token="too short")
    assert "too short" not in problem
    assert "DCRON_TOKEN=(secret)" in problem


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert load(WorkerSettings, {"DCRON_TOKEN_FILE": str(file)}).token == TOKEN
    other = TOKEN[::-1]
    assert load(WorkerSettings, {"DCRON_TOKEN_FILE": str(file), "DCRON_TOKEN": other}).token == other


def test_a_secrets_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file in (missing, binary):
        assert f"DCRON_TOKEN_FILE='{file}' cannot be read" in problems(token_file=str(file))[0]


def test_only_a_secret_may_come_from_a_file() -> None:
    assert problems(token=TOKEN, slots_file="/x")[0].startswith("DCRON_SLOTS_FILE is not a setting of dcron")


def test_labels() -> None:
    assert parse_labels(" zone = eu,disk=ssd,, empty=") == {"zone": "eu", "disk": "ssd", "empty": ""}
    assert parse_labels("") == {}
    for wrong in ("zone", "=eu", "a=1,b"):
        with pytest.raises(SettingsError, match="is not key=value"):
            parse_labels(wrong)
